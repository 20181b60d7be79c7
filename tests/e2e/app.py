"""The real server, with discs for masks and a scripted policy: ``python -m tests.e2e.app WORKSPACE PORT [team]``."""

import sys
from pathlib import Path

import uvicorn

from tests.asked import scripted_asker
from tests.fakes import FakeSegmenter
from whyseg.curation.clicks import ClickService
from whyseg.curation.workspace import Workspace
from whyseg.ui.asking import Asking
from whyseg.ui.pictures import Pictures
from whyseg.ui.server import build_server
from whyseg.ui.serving import make_logins

RADII = (30.0, 15.0, 45.0)  # of the discs, best first


def main(folder: str, port: str, mode: str = "") -> None:
    """Serve until killed."""
    with Workspace.open(Path(folder)) as workspace:
        clicks = ClickService(FakeSegmenter(radii=RADII), Pictures(workspace).pixels)
        team = make_logins(workspace) if mode == "team" else None
        app = build_server(workspace, clicks, team=team, asking=Asking(lambda told: scripted_asker()))
        uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
