"""``whyseg serve``: the pages in a browser."""

import webbrowser
from typing import Annotated

import typer

from whyseg.cli.drafting import DrafterOption, EndpointOption, KeyVariableOption, ModelOption, TimeoutOption
from whyseg.cli.options import HERE, WorkspaceOption, note
from whyseg.cli.workspace import user

TRIES = 2  # somebody waits for the answer


def serve(
    workspace: WorkspaceOption = HERE,
    team: Annotated[bool, typer.Option("--team", help="Let nobody in but the users that whyseg users adds.")] = False,
    host: Annotated[
        str, typer.Option(help="Where to listen; an address that other machines reach needs --team.")
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None, typer.Option(help="A name that browsers reach this machine by; repeat it.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes any free one.")] = 7860,
    segmenter: Annotated[str, typer.Option(help="What answers clicks: auto, sam2, mobilesam or grabcut.")] = "auto",
    model: Annotated[str | None, typer.Option(help="Its weights: a known name, a Hub id or a folder.")] = None,
    drafter: DrafterOption = "template",
    drafter_model: ModelOption = None,
    endpoint: EndpointOption = None,
    key_variable: KeyVariableOption = "OPENAI_API_KEY",
    timeout: TimeoutOption = 60.0,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the default browser.")] = False,
) -> None:
    """Serve the workspace's pages until Ctrl+C: to this machine, or with --team to its users."""
    from whyseg.curation.drafting.choose import open_drafter
    from whyseg.curation.workspace import Workspace
    from whyseg.ui import serving

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
            drafter=chosen, ready=ready, told=note,
        )  # fmt: skip
