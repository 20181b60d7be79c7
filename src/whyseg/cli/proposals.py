"""``whyseg proposals …``: deciding on proposals without a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from whyseg.cli.listing import Listing
from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, note, print_json
from whyseg.cli.workspace import user
from whyseg.schemas.proposal import RevisionReason

if TYPE_CHECKING:
    from whyseg.curation.proposals import Proposals
    from whyseg.curation.workspace import Workspace

app = typer.Typer(
    name="proposals", cls=Listing, help="Changes that models propose.", no_args_is_help=True, rich_markup_mode=None
)

IdsArgument = Annotated[
    list[str], typer.Argument(metavar="ID…", help="Proposals, as whyseg proposals list names them.")
]
StateOption = Annotated[
    Literal["open", "accepted", "dismissed", "stale", "any"], typer.Option(help="Which: stale ones were overtaken.")
]
ReasonOption = Annotated[RevisionReason | None, typer.Option(help="Only those of one reason.", show_default=False)]
SIDE = 1600  # pixels: how wide a drawn proposal is at most
MOST = 10**6  # proposals in one list


@app.callback()
def _group() -> None:
    """Changes that models propose."""


@app.command("list")
def list_proposals(
    state: StateOption = "open",
    reason: ReasonOption = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="So many at most.")] = 50,
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """List proposals, the surest first."""
    from whyseg.curation.images import printable
    from whyseg.curation.proposals import Proposals
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened:
        wanted = None if state == "any" else state
        page = Proposals(opened.store).page(state=wanted, reason=reason, limit=limit)
    if json:
        print_json(page.plain())
        return
    for one in page.proposals:
        says = printable(one.says)  # what a model writes must not steer a terminal
        typer.echo(f"{one.id}  {one.score:.2f}  {one.reason.value:<16} {one.state:<9} sample {one.sample_id}  {says}")
    counts = ", ".join(f"{count} {name}" for name, count in page.reasons.items())
    typer.echo(f"{len(page.proposals)} of {page.total} proposals" + (f" ({counts})" if counts else ""))


@app.command()
def show(
    proposal: Annotated[str, typer.Argument(metavar="ID", help="The proposal.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Where it is drawn: before beside after.", show_default=False),
    ] = None,
    workspace: WorkspaceOption = HERE,
    json: JsonOption = False,
) -> None:
    """Show a proposal, and draw what it would change."""
    from whyseg.curation.history import changed
    from whyseg.curation.images import printable
    from whyseg.curation.proposals import Proposals, proposed_sample
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened:
        found = Proposals(opened.store).get(proposal)
        before = opened.store.revision(found.revision_id).sample
        after = proposed_sample(before, found)
        if out is not None:
            _draw(opened, found.id, out)
    if json:
        print_json(found.plain())
        return
    typer.echo(f"{found.reason.value}, {found.state}, score {found.score:.2f}, by {printable(found.made_by)}")
    typer.echo(printable(found.says))
    if found.query is not None:
        typer.echo(f"before: {printable(before.query.text) if before.query else 'no question'}")
        typer.echo(f"after:  {printable(found.query.text)}")
    for change in changed(before.plain(), after.plain()):
        typer.echo(f"changes: {change}")
    if found.instances is not None:
        typer.echo(f"IoU of the targets before and after: {before.target().iou(after.target()):.4f}")


@app.command()
def accept(ids: IdsArgument, workspace: WorkspaceOption = HERE, json: JsonOption = False) -> None:
    """Change the samples as proposed, each in one step; exit 1 when one could not be changed."""

    def decide(proposals: "Proposals", key: str) -> dict[str, Any]:
        head = proposals.accept(key, author=user())
        return {"state": "accepted", "sample": head.sample.id, "is": f"r{head.revision.number}, {head.state.value}"}

    _decide(ids, workspace, decide, json=json)


@app.command()
def dismiss(ids: IdsArgument, workspace: WorkspaceOption = HERE, json: JsonOption = False) -> None:
    """Decide that proposals are not followed; they do not come back. Exit 1 when one could not be dismissed."""

    def decide(proposals: "Proposals", key: str) -> dict[str, Any]:
        found = proposals.dismiss(key, author=user())
        return {"state": found.state, "sample": found.sample_id, "is": "as it was"}

    _decide(ids, workspace, decide, json=json)


def _decide(
    ids: list[str], workspace: Path, decide: "Callable[[Proposals, str], dict[str, Any]]", *, json: bool
) -> None:
    """Decide on each, whatever becomes of the others."""
    from whyseg.curation.proposals import Proposals
    from whyseg.curation.workspace import Workspace
    from whyseg.schemas.errors import IllegalTransition, NotFound, StaleParent

    done, refused = [], []
    with Workspace.open(workspace) as opened:
        for key in ids:
            try:
                done.append({"id": key, **decide(Proposals(opened.store), key)})
            except (NotFound, StaleParent, IllegalTransition) as error:
                refused.append({"id": key, "reason": str(error)})
    for one in refused:
        note(f"{one['id']}: {one['reason']}")
    if json:
        print_json({"decided": done, "refused": refused})
    else:
        for one in done:
            typer.echo(f"{one['id']} {one['state']}: sample {one['sample']} is {one['is']}")
    if refused:
        raise typer.Exit(1)


def _draw(workspace: "Workspace", key: str, out: Path) -> None:
    import cv2

    from whyseg.curation.blobs import write_atomically
    from whyseg.curation.images import read_upright
    from whyseg.curation.proposal_picture import draw_proposal
    from whyseg.curation.proposals import Proposals
    from whyseg.schemas.errors import UsageError

    if out.suffix.lower() != ".png":
        raise UsageError(f"--out is a PNG file, got {out.name}")
    found = Proposals(workspace.store).get(key)
    sample = workspace.store.revision(found.revision_id).sample
    pixels = read_upright(workspace.blobs.read(sample.image_id), sample.image_id).pixels
    drawn = draw_proposal(pixels, sample, found, side=SIDE)
    write_atomically(out, cv2.imencode(".png", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))[1].tobytes())
    note(f"drawn in {out}")
