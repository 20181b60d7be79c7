"""People who save one edit after another over HTTP, whatever happens to the server, and what became of their edits."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.builders import block
from tests.ui.support import edited
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample

SIZE = (30, 40)  # (height, width) of their pictures
PAUSE = 0.05  # seconds after a refusal


@dataclass
class Annotator:
    """Saves one edit after another; what the server did not answer is sent again, under the same name.

    ``bears``: statuses after which the edit is sent again. A 409 is borne where others save the same sample
    (``shares``): the edit was not taken, and the next one is made on the newest version.
    """

    sample_id: str
    name: str = "edit"
    bears: tuple[int, ...] = ()
    shares: bool = False
    acknowledged: dict[str, tuple[str, int]] = field(default_factory=dict)  # edit: (revision, number)
    contents: dict[str, dict[str, Any]] = field(default_factory=dict)  # edit: the sample
    pending: dict[str, Any] | None = None
    saved: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)

    def work(self, url: str, stop: threading.Event) -> None:
        """Edit until the server is gone, or ``stop`` is set."""
        with httpx.Client(base_url=f"{url}/api/v1/samples", timeout=60) as client:
            try:
                self._work(client, stop)
            except httpx.TransportError:
                return

    def _work(self, client: httpx.Client, stop: threading.Event) -> None:
        shown: dict[str, Any] = {}
        while not stop.is_set():
            if not shown and self.pending is None:
                found = client.get(f"/{self.sample_id}")
                if found.status_code in self.bears:
                    time.sleep(PAUSE)
                    continue
                shown = found.raise_for_status().json()
            if self.pending is None:
                self.pending = self._edit(shown)
            answer = client.put(f"/{self.sample_id}", json=self.pending)
            if answer.status_code == 200:
                shown = self._take(answer.json())
            elif answer.status_code == 409 and self.shares:
                self.pending, shown = None, {}
            elif answer.status_code in self.bears:
                self.refused += 1
                time.sleep(PAUSE)
            else:
                self.wrong.append(answer.text)
                return

    def _take(self, told: dict[str, Any]) -> dict[str, Any]:
        assert self.pending is not None
        edit, sample = self.pending["edit"], self.pending["sample"]
        self.acknowledged[edit] = told["revision"], told["number"]
        self.contents[edit] = sample
        self.pending = None
        # Somebody else's version may be the newest by the time that an edit sent twice is recognised.
        return {} if self.shares else {**told, "sample": sample}

    def _edit(self, shown: dict[str, Any]) -> dict[str, Any]:
        self.saved += 1
        n = self.saved
        mask = block(n % 20, n % 30, 5, 5, SIZE).plain()
        one = {"id": 1, "mask": mask, "label": f"edit {n}", "origin": {"kind": "brush"}}
        changed = edited(shown["sample"], instances=[one], query={"text": f"{self.name}, question {n}?"})
        return {"edit": f"{self.name}-{n}", "parent": shown["revision"], "sample": changed}


def until_saved(annotators: Sequence[Annotator], more: int, seconds: float = 60) -> None:
    """Wait until so many more saves are acknowledged, by all together, or for some seconds."""
    wanted, end = sum(len(one.acknowledged) for one in annotators) + more, time.monotonic() + seconds
    while sum(len(one.acknowledged) for one in annotators) < wanted and time.monotonic() < end:
        time.sleep(0.002)


@dataclass(frozen=True)
class Judged:
    """What a workspace holds of the edits: how many were acknowledged, which of these are lost, what else is wrong.

    ``unheard``: edits that are saved, and were not acknowledged.
    """

    acknowledged: int
    lost: tuple[str, ...]
    unheard: int
    wrong: tuple[str, ...]


@contextmanager
def at_work(annotators: Sequence[Annotator], urls: Sequence[str]) -> Iterator[None]:
    """Have annotators save, in turn to each of the addresses, and wait at the end until all have stopped."""
    stop = threading.Event()
    hands = [
        threading.Thread(target=annotator.work, args=(urls[number % len(urls)], stop))
        for number, annotator in enumerate(annotators)
    ]
    for hand in hands:
        hand.start()
    try:
        yield
    finally:
        stop.set()
        for hand in hands:
            hand.join()


def judge(path: Path, annotators: Sequence[Annotator]) -> Judged:
    """Look at what is in a workspace of the annotators' edits."""
    lost, wrong, unheard = list[str](), list[str](), 0
    with Workspace.open(path) as workspace:
        wrong += [f"verify: {problem.what}: {problem.message}" for problem in verify(workspace)]
        for annotator in annotators:
            wrong += annotator.wrong
            revisions = workspace.store.revisions(annotator.sample_id)
            by_id = {revision.id: revision for revision in revisions}
            for edit, (revision, number) in annotator.acknowledged.items():
                kept = by_id.get(revision)
                sample = Sample.parse(annotator.contents[edit])
                if kept is None or (kept.edit, kept.number, kept.sample) != (edit, number, sample):
                    lost.append(f"{edit} of sample {annotator.sample_id}")
            edits = [each.edit for each in revisions if each.edit and each.edit.startswith(f"{annotator.name}-")]
            if len(edits) != len(set(edits)):
                wrong.append(f"an edit of {annotator.name} that was sent twice is there twice")
            more = set(edits) - set(annotator.acknowledged)
            if not more <= ({annotator.pending["edit"]} if annotator.pending else set()):
                wrong.append(f"edits of {annotator.name} are there that were refused: {sorted(more)}")
            unheard += len(more)
    return Judged(sum(len(one.acknowledged) for one in annotators), tuple(lost), unheard, tuple(wrong))
