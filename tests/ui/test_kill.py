"""A server that dies at any moment has lost nothing that it acknowledged."""

import random
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.builders import block
from tests.pictures import encoded, pixels
from tests.ui.process import ServerProcess
from tests.ui.support import add_picture, edited
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample

KILLS = 20
ANNOTATORS = 3
SIZE = (30, 40)


@dataclass
class Annotator:
    """Saves one edit after another; what the server did not answer is sent again, under the same name."""

    sample_id: str
    acknowledged: dict[str, tuple[str, int]] = field(default_factory=dict)  # edit: (revision, number)
    contents: dict[str, dict[str, Any]] = field(default_factory=dict)  # edit: the sample
    pending: dict[str, Any] | None = None
    saved: int = 0
    wrong: list[str] = field(default_factory=list)

    def work(self, url: str) -> None:
        """Edit until the server is gone."""
        with httpx.Client(base_url=url, timeout=30) as client:
            try:
                shown = client.get(f"/api/v1/samples/{self.sample_id}").json()
                while True:
                    if self.pending is None:
                        self.pending = self._edit(shown)
                    answer = client.put(f"/api/v1/samples/{self.sample_id}", json=self.pending)
                    if answer.status_code != 200:
                        self.wrong.append(answer.text)
                        return
                    told = answer.json()
                    edit = self.pending["edit"]
                    self.acknowledged[edit] = told["revision"], told["number"]
                    self.contents[edit] = self.pending["sample"]
                    shown = {**told, "sample": self.pending["sample"]}
                    self.pending = None
            except httpx.TransportError:
                return

    def _edit(self, shown: dict[str, Any]) -> dict[str, Any]:
        self.saved += 1
        n = self.saved
        mask = block(n % 20, n % 30, 5, 5, SIZE).plain()
        one = {"id": 1, "mask": mask, "label": f"edit {n}", "origin": {"kind": "brush"}}
        changed = edited(shown["sample"], instances=[one], query={"text": f"question {n}?"})
        return {"edit": f"edit-{n}", "parent": shown["revision"], "sample": changed}


def judge(path: Path, annotators: list[Annotator]) -> int:
    """Look at what the dead server left behind; return how many edits it saved and did not acknowledge."""
    unheard = 0
    with Workspace.open(path) as workspace:
        assert verify(workspace) == []
        for annotator in annotators:
            assert annotator.wrong == []
            revisions = workspace.store.revisions(annotator.sample_id)
            by_id = {revision.id: revision for revision in revisions}
            for edit, (revision, number) in annotator.acknowledged.items():
                kept = by_id[revision]
                assert (kept.edit, kept.number) == (edit, number)
                assert kept.sample == Sample.parse(annotator.contents[edit])
            edits = [revision.edit for revision in revisions if revision.edit]
            assert len(edits) == len(set(edits))  # no edit that was sent twice is there twice
            more = set(edits) - set(annotator.acknowledged)
            assert more <= ({annotator.pending["edit"]} if annotator.pending else set())
            unheard += len(more)
    return unheard


@pytest.mark.slow
def test_no_acknowledged_save_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    moments = random.Random(7)
    path = tmp_path / "team"
    with Workspace.create(path) as workspace:
        samples = [add_picture(workspace, encoded(pixels(*SIZE, seed=n)), f"{n}.png") for n in range(ANNOTATORS)]
    annotators = [Annotator(sample.id) for sample in samples]
    unheard = 0
    for _ in range(KILLS):
        with ServerProcess(path) as server:
            hands = [threading.Thread(target=annotator.work, args=(server.url,)) for annotator in annotators]
            for hand in hands:
                hand.start()
            time.sleep(moments.uniform(0.1, 1.0))
            server.end(signal.SIGKILL)
            for hand in hands:
                hand.join()
        unheard += judge(path, annotators)
    saves = sum(len(annotator.acknowledged) for annotator in annotators)
    assert saves > KILLS
    print(f"\n{KILLS} kills, {saves} saves acknowledged, none lost; {unheard} saved, but killed before the answer")
