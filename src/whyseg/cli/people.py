"""``whyseg people``: what everybody did."""

from datetime import date, datetime
from typing import Annotated

import typer

from whyseg.cli.options import HERE, JsonOption, WorkspaceOption, print_json

_DAY = ["%Y-%m-%d"]


def people(
    workspace: WorkspaceOption = HERE,
    since: Annotated[datetime | None, typer.Option(formats=_DAY, help="The first day (UTC), as 2026-01-31.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=_DAY, help="The last day (UTC).")] = None,
    json: JsonOption = False,
) -> None:
    """Say what everybody did: saves, submissions and what became of them, reviews."""
    from whyseg.curation.people import Throughput
    from whyseg.curation.workspace import Workspace

    with Workspace.open(workspace) as opened:
        found = Throughput(opened.store.database).people(_day(since), _day(until))
    if json:
        print_json(found.plain())
        return
    names = ("saves", "submitted", "accepted", "rejected", "rate", "work s", "reviews", "wait s")
    typer.echo("".join(f"{name:>10}" for name in names) + "  who")
    for one in found.people:
        rate = "–" if one.rejection_rate is None else f"{one.rejection_rate:.0%}"
        spans = ["–" if value is None else f"{value:.0f}" for value in (one.work_seconds, one.decision_seconds)]
        cells = [one.revisions, one.submitted, one.accepted, one.rejected, rate, spans[0], one.reviews, spans[1]]
        typer.echo("".join(f"{cell:>10}" for cell in cells) + f"  {one.name}")


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None
