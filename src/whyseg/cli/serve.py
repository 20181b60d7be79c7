"""``whyseg serve``: the pages in a browser."""

import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from whyseg.cli.drafting import DrafterOption, EndpointOption, KeyVariableOption, ModelOption, TimeoutOption
from whyseg.cli.evaluate import word
from whyseg.cli.options import HERE, WorkspaceOption, note
from whyseg.cli.workspace import user

if TYPE_CHECKING:
    from whyseg.ui.asking import Load

PORT = 7860
TRIES = 2  # somebody waits for the answer
PolicyOption = Annotated[str | None, word("MODEL", "Have people ask a policy, as whyseg predict does: the Models tab.")]
PolicyPresetOption = Annotated[str | None, word("PRESET", "How it is asked, where it does not say itself.")]
PolicyEndpointOption = Annotated[str | None, word("URL", "Where it is served, OpenAI's way.")]
PolicySegmenterOption = Annotated[str | None, word("MODEL", "What makes masks of its answers; SAM 2.1 large.")]


def serve(
    workspace: WorkspaceOption = HERE,
    team: Annotated[bool, typer.Option("--team", help="Let nobody in but the users that whyseg users adds.")] = False,
    host: Annotated[
        str, typer.Option(help="Where to listen; an address that other machines reach needs --team.")
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None, typer.Option(help="A name that browsers reach this machine by; repeat it.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes any free one.")] = PORT,
    segmenter: Annotated[
        str, typer.Option(help="What answers clicks: auto, sam2, mobilesam, grabcut or sam2-package.")
    ] = "auto",
    model: Annotated[str | None, typer.Option(help="Its weights: a known name, a Hub id, a folder or a file.")] = None,
    drafter: DrafterOption = "template",
    drafter_model: ModelOption = None,
    endpoint: EndpointOption = None,
    key_variable: KeyVariableOption = "OPENAI_API_KEY",
    timeout: TimeoutOption = 60.0,
    policy: PolicyOption = None,
    policy_preset: PolicyPresetOption = None,
    policy_endpoint: PolicyEndpointOption = None,
    policy_segmenter: PolicySegmenterOption = None,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the default browser.")] = False,
) -> None:
    """Serve the workspace's pages until Ctrl+C: to this machine, or with --team to its users."""
    from whyseg.curation.drafting.choose import open_drafter
    from whyseg.curation.workspace import Workspace
    from whyseg.ui import serving

    load = _policy(policy, policy_preset, policy_endpoint, policy_segmenter)

    def ready(address: str) -> None:
        typer.echo(f"whyseg serves {workspace.resolve()} at {address}")
        if open_:
            webbrowser.open(address)

    with (
        Workspace.open(workspace) as opened,
        open_drafter(
            drafter, model=drafter_model, endpoint=endpoint, key_variable=key_variable, seconds=timeout, tries=TRIES,
            late=True, model_option="--drafter-model", told=note,
        ) as chosen,
    ):  # fmt: skip
        serving.serve(
            opened, host=host, port=port, segmenter=segmenter, model=model, user=user(), team=team, names=name or (),
            drafter=chosen, policy=load, ready=ready, told=note,
        )  # fmt: skip


def _policy(source: str | None, preset: str | None, endpoint: str | None, segmenter: str | None) -> "Load | None":
    """Return what brings the policy; raises ``UsageError`` for one that nobody can bring."""
    from whyseg.curation.segmenters.weights import find
    from whyseg.schemas.errors import UsageError

    if source is None:
        if preset or endpoint or segmenter:
            raise UsageError("--policy-preset, --policy-endpoint and --policy-segmenter need --policy MODEL")
        return None
    from whyseg.training.asker import open_asker, require_askable

    require_askable(source, preset, endpoint)
    if segmenter is not None:
        find(segmenter)
    return lambda told: open_asker(source, preset=preset, endpoint=endpoint, segmenter=segmenter, told=told)
