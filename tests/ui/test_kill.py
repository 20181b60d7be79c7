"""A server that dies at any moment has lost nothing that it acknowledged."""

import random
import signal
from pathlib import Path

import pytest

from tests.pictures import encoded, pixels
from tests.ui.annotators import SIZE, Annotator, at_work, judge, until_saved
from tests.ui.process import ServerProcess
from tests.ui.support import add_picture
from whyseg.curation.workspace import Workspace

KILLS = 20
ANNOTATORS = 3


@pytest.mark.slow
def test_no_acknowledged_save_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    moments = random.Random(7)
    path = tmp_path / "team"
    with Workspace.create(path) as workspace:
        samples = [add_picture(workspace, encoded(pixels(*SIZE, seed=n)), f"{n}.png") for n in range(ANNOTATORS)]
    annotators = [Annotator(sample.id) for sample in samples]
    unheard = 0
    for _ in range(KILLS):
        with ServerProcess(path) as server, at_work(annotators, [server.url]):
            until_saved(annotators, moments.randrange(1, 60))
            server.end(signal.SIGKILL)
        found = judge(path, annotators)
        assert (found.lost, found.wrong) == ((), ())
        unheard += found.unheard
    assert found.acknowledged > KILLS
    print(f"\n{KILLS} kills, {found.acknowledged} saves acknowledged, none lost; {unheard} saved before they were told")
