"""``whyseg doctor``: what is installed, what can run, how a workspace is, and what would mend it."""

from pathlib import Path
from typing import Annotated

import typer

from whyseg.cli.options import HERE, JsonOption, print_json
from whyseg.cli.serve import PORT


def doctor(
    workspace: Annotated[
        Path | None,
        typer.Option(
            "--workspace", "-w", help="A workspace's folder.", show_default="the current folder, if it is one"
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Look at Python, packages, GPU, segmenters, disks, the port and a workspace. Exit 1 when there is a problem.

    Nothing is changed and nothing is fetched.
    """
    from whyseg.curation.doctor import examine
    from whyseg.curation.workspace import SETTINGS

    path = workspace if workspace is not None else HERE if (HERE / SETTINGS).exists() else None
    found = []
    for finding in examine(path, port=PORT):
        found.append(finding)
        if not json:
            typer.echo(f"{finding.level:<8} {finding.what:<24} {finding.says}")
            if finding.mend:
                typer.echo(f"{'':<8} {'':<24} → {finding.mend}")
    counts = {level: sum(finding.level == level for finding in found) for level in ("ok", "warning", "problem")}
    if json:
        print_json({"findings": [finding.plain() for finding in found], "counts": counts})
    else:
        typer.echo(f"\n{_counted(counts['problem'], 'problem')}, {_counted(counts['warning'], 'warning')}")
    if counts["problem"]:
        raise typer.Exit(1)


def _counted(count: int, what: str) -> str:
    return f"{count or 'no'} {what}{'s' * (count != 1)}"
