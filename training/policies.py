"""What answers a question about a picture with text: the thing that is trained, voted over and evaluated."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from whyseg import data
from whyseg.schemas.errors import InvalidRecord, ModelUnavailable, UsageError
from whyseg.schemas.record import Record
from whyseg.training.answers import Shape
from whyseg.training.frames import Frame
from whyseg.training.pictures import RgbArray
from whyseg.training.presets import Preset, load_preset

CARD = "policy.json"
TINY_WORLD = "tiny-world"  # the packaged policy, by its name
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


class Policy(Protocol):
    """A vision-language model with the prompt it was trained on and the frame its coordinates are in."""

    @property
    def name(self) -> str:
        """What runs, for the record: a folder, a Hub id, a model and its address."""

    @property
    def frame(self) -> Frame:
        """Which coordinates the answers are in."""

    @property
    def style(self) -> str:
        """The prompt, a style of `prompts.messages`."""

    @property
    def shape(self) -> Shape:
        """The form of the answers, for `answers.parse`."""

    def answer(
        self,
        images: Sequence[RgbArray],
        queries: Sequence[str],
        *,
        k: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        max_tokens: int = 1024,
    ) -> list[list[str]]:
        """Return ``k`` answers to each question about the picture beside it, in their order.

        ``images``: uint8 (H, W, 3), upright, in their own size. At temperature 0 answers are greedy, so all k are the
        same one. An answer that could not be had is the empty text, which parses as a failure.
        """


@runtime_checkable
class AsksApart(Protocol):
    """A policy whose answers to a question are the same whatever it is asked with; ``at_once``: how many at a time."""

    at_once: int


class AskedAsPreset:
    """What a policy that a preset describes has from it."""

    preset: Preset

    @property
    def frame(self) -> Frame:
        """The preset's."""
        return self.preset.frame

    @property
    def style(self) -> str:
        """The preset's prompt for evaluation."""
        return self.preset.style(evaluation=True)

    @property
    def shape(self) -> Shape:
        """The preset's form of answers."""
        return self.preset.policy.answer


class PolicyCard(Record):
    """What lies beside a trained policy: the preset that made it, and the model its adapters belong to, if they do.

    ``base``: a Hub id or a folder; None when the policy's own folder holds the whole model.
    """

    preset: Preset
    base: str | None = None


def open_policy(
    source: str, *, preset: str | None = None, endpoint: str | None = None, device: str | None = None
) -> Policy:
    """Return the policy of a run's folder, of a model's folder or Hub id, or of a model behind ``endpoint``.

    ``preset``: how the model is asked, a preset's name or file; a run's own policy knows it, for others it must be
    given. Raises ``UsageError`` without it, ``ModelUnavailable`` and ``ModelFailed`` where the model cannot be loaded.
    """
    if endpoint is not None:
        from whyseg.training.endpoint_policy import EndpointPolicy

        return EndpointPolicy(endpoint, source, load_preset(_asked(preset, source)))
    from whyseg.training.local_policy import LocalPolicy

    card = card_of(Path(source).expanduser())
    if card is None:
        require_there(source)
        card = (source, PolicyCard(preset=load_preset(_asked(preset, source))))
    folder, known = card
    if preset is not None:
        known = known.model_copy(update={"preset": load_preset(preset)})
    loaded = LocalPolicy.load(folder, known, device=device)
    if source == TINY_WORLD:
        loaded.name = source  # not where this machine has it
    return loaded


def require_there(source: str) -> None:
    """Raise ``ModelUnavailable`` for a path that nothing lies at; what may be a Hub's id is not looked for."""
    if not Path(source).expanduser().exists() and not _HUB_ID.fullmatch(source):
        raise ModelUnavailable(f"{source} cannot be loaded: nothing is there, and it is no id of a Hub repository")


def located(source: str) -> str:
    """Return where a policy lies: the packaged one's folder for its name, anything else as it is."""
    if source == TINY_WORLD and not Path(source).exists():
        return str(data.path("models/tiny_policy"))
    return source


def card_of(path: Path) -> tuple[str, PolicyCard] | None:
    """Return the folder of a policy that lies at a path, a run's or its own, and its card; None where there is none.

    The packaged policy's name is a path to it.
    """
    path = Path(located(str(path)))
    for folder in (path, path / "policy"):
        if (folder / CARD).is_file():
            try:
                return str(folder), PolicyCard.parse((folder / CARD).read_bytes())
            except InvalidRecord as error:
                raise UsageError(f"{folder / CARD} is broken: {error}") from error
    return None


def files_of(source: str) -> list[list[Any]]:
    """Return name, size and time of the files of a policy's folder, which may be trained into again; else nothing."""
    known = card_of(Path(source).expanduser())
    folder = Path(known[0] if known else located(source))
    found = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in found]


def _asked(preset: str | None, source: str) -> str:
    if preset is None:
        raise UsageError(f"{source} does not say how it is asked: give --preset")
    return preset
