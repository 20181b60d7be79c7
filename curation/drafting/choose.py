"""Opening the drafter that somebody asked for, by the options of a command."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from whyseg.curation.drafting.base import Drafter
from whyseg.schemas.errors import UsageError

Told = Callable[[str], None]


@contextmanager
def open_drafter(
    name: str,
    *,
    model: str | None = None,
    endpoint: str | None = None,
    key_variable: str = "OPENAI_API_KEY",
    prices: tuple[float, float] = (0.0, 0.0),
    seconds: float = 120.0,
    tries: int = 5,
    late: bool = False,
    model_option: str = "--model",
    told: Told = lambda _: None,
) -> Iterator[Drafter]:
    """Open ``template``, ``openai`` or ``transformers``; the rest as for `Endpoint`.

    ``late``: a model in this process is loaded on a thread of its own, see `LateDrafter`. ``model_option``: what the
    command calls ``model``. Raises ``UsageError`` for options that do not go together, ``DrafterUnavailable``.
    """
    if name == "template":
        from whyseg.curation.drafting.template import TemplateDrafter

        if model or endpoint:
            raise UsageError(f"{model_option} and --endpoint are for the other drafters: template has no model")
        yield TemplateDrafter()
        return
    if not model:
        raise UsageError(f"--drafter {name} needs {model_option}")
    if name == "openai":
        from whyseg.curation.drafting.endpoint import DEFAULT_ENDPOINT, Endpoint
        from whyseg.curation.drafting.openai import OpenAIDrafter

        address = endpoint or DEFAULT_ENDPOINT
        with Endpoint(address, model, key_variable=key_variable, prices=prices, seconds=seconds, tries=tries) as server:
            yield OpenAIDrafter(server)
        return
    if endpoint:
        raise UsageError("--endpoint is for --drafter openai")
    if late:
        from whyseg.curation.drafting.late import LateDrafter

        yield LateDrafter(model, lambda: _load(model, told))
    else:
        yield _load(model, told)


def _load(model: str, told: Told) -> Drafter:
    from whyseg.curation.drafting.local import TransformersDrafter

    return TransformersDrafter.load(model, told=told)
