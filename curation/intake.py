"""Pictures and samples on their way into a workspace: what is new, what is known, and the report of both.

Pictures are on disk before their records are written, and the records of some pictures go into one transaction: an
import that is cut off leaves whole pictures, and the next run goes on where it stopped.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from whyseg.curation.images import examine, printable
from whyseg.curation.sources import Refusal
from whyseg.curation.times import now
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Finding, Image, Sample, Split, content_hash
from whyseg.schemas.errors import NotFound, UsageError
from whyseg.schemas.record import Record

TOGETHER = 32  # pictures whose records go into one transaction: that takes a fifth of the time of one each


class Note(Record):
    """Something about a file that was taken in."""

    file: str
    note: str


class ImportReport(Record):
    """What an import did.

    ``added``: new samples. ``skipped``: samples that the workspace, or this import, has already. ``ignored``: files
    that are nothing for this importer. ``findings``: how many were written, one for each remark on a new sample.
    """

    added: int = 0
    skipped: int = 0
    ignored: int = 0
    refused: tuple[Refusal, ...] = ()
    notes: tuple[Note, ...] = ()
    findings: int = 0
    dry_run: bool = False

    def __add__(self, other: "ImportReport") -> "ImportReport":
        return ImportReport(
            added=self.added + other.added,
            skipped=self.skipped + other.skipped,
            ignored=self.ignored + other.ignored,
            refused=self.refused + other.refused,
            notes=self.notes + other.notes,
            findings=self.findings + other.findings,
            dry_run=self.dry_run or other.dry_run,
        )


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture that may be taken in: its record, its file's bytes, and what was changed to see it."""

    image: Image
    data: bytes
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Remark:
    """Something about a new sample that becomes a finding, and a note in the report."""

    sample_id: str
    message: str
    kind: str = "import"
    severity: Literal["info", "warning", "error"] = "info"
    evidence: dict[str, Any] = field(default_factory=dict)


class Intake(ABC):
    """Where what a reader finds goes: one picture with its samples after the other, counted.

    ``license``: the pictures' licence where the source names none. ``dry_run``: everything is looked at, nothing is
    written.
    """

    def __init__(self, *, license: str | None = None, dry_run: bool = False) -> None:
        if license is not None and not license.isprintable():
            raise UsageError(f"a licence is one line of text, got {license!r}")
        self.license, self.dry_run = license, dry_run
        self.added = self.skipped = self.ignored = self.findings = 0
        self.refused: list[Refusal] = []
        self.notes: list[Note] = []

    def report(self) -> ImportReport:
        """Return what has been done so far."""
        return ImportReport(
            added=self.added,
            skipped=self.skipped,
            ignored=self.ignored,
            refused=tuple(self.refused),
            notes=tuple(self.notes),
            findings=self.findings,
            dry_run=self.dry_run,
        )

    def refuse(self, file: str, reason: str) -> None:
        """Count a file that is not taken in."""
        self.refused.append(Refusal(file=printable(file), reason=printable(reason)))

    def note(self, file: str, text: str) -> None:
        """Say something about a file in the report."""
        self.notes.append(Note(file=printable(file), note=printable(text)))

    def picture(self, data: bytes, name: str, *, license: str | None = None, split: Split | None = None) -> Picture:
        """Return a picture from its file's bytes; it is decoded in full unless it is known already.

        ``license``: what the source says of this picture; ``split``: where a release had it, for it to stay there.
        Raises ``RefusedImage``.
        """
        if known := self.known_image(data):
            return Picture(known, data)
        image, notes = examine(data, name)
        return Picture(image.model_copy(update={"license": license or self.license, "split": split}), data, notes)

    @abstractmethod
    def known_image(self, data: bytes) -> Image | None:
        """Return the record of a file that was taken in before."""

    @abstractmethod
    def take(self, file: str, picture: Picture, samples: Sequence[Sample], remarks: Sequence[Remark] = ()) -> None:
        """Take in a picture with its samples, and what there is to remark on them."""


class WorkspaceIntake(Intake):
    """An import into a workspace as it goes; call `run`, or `flush` at the end, also after an error."""

    def __init__(self, workspace: Workspace, *, author: str, license: str | None = None, dry_run: bool = False) -> None:
        super().__init__(license=license, dry_run=dry_run)
        self.workspace, self.author = workspace, author
        self._images: dict[str, Image] = {}  # on disk, their records not yet written
        self._samples: list[Sample] = []
        self._findings: list[Finding] = []
        self._new: dict[str, str] = {}  # of these, and all that a dry run would add: sample id → content hash
        if not dry_run:
            workspace.blobs.sweep()

    def run(self, steps: Iterator[None]) -> ImportReport:
        """Go through a reader's steps, each of which takes in one file or row, and return what was done."""
        try:
            for _ in steps:
                pass
        finally:
            self.flush()
        return self.report()

    def known_image(self, data: bytes) -> Image | None:
        """Return the record of a file that the workspace or this import has."""
        key = hashlib.sha256(data).hexdigest()
        if key in self._images:
            return self._images[key]
        try:
            return self.workspace.store.image(key)
        except NotFound:
            return None

    def take(self, file: str, picture: Picture, samples: Sequence[Sample], remarks: Sequence[Remark] = ()) -> None:
        """Take in a picture with its samples; those that are known, here or in the workspace, are skipped.

        A known sample stays as it is; where the file says something else than any of its revisions, a note says so.
        Remarks on new samples become findings; what was changed to see the picture becomes one on the first of them.
        """
        known = self.workspace.store.contents([sample.id for sample in samples])
        fresh: dict[str, Sample] = {}
        for sample in samples:
            content = sample.content_hash()
            if sample.id in self._new:
                known.setdefault(sample.id, set()).add(self._new[sample.id])
            if sample.id not in known:
                fresh[sample.id] = sample
                self._new[sample.id] = content
                continue
            self.skipped += 1
            if content not in known[sample.id]:
                self.note(file, f"sample {sample.id} is known with other content; it stays as it is")
        self.added += len(fresh)
        told = [remark for remark in remarks if remark.sample_id in fresh]
        told += [Remark(next(iter(fresh)), text, kind="picture") for text in picture.notes if fresh]
        for remark in told:
            self.note(file, remark.message)
        if self.dry_run:
            return
        self.workspace.blobs.put(picture.data)  # writes only where it is missing
        if not fresh:
            return
        self._images[picture.image.id] = picture.image
        self._samples += fresh.values()
        self._findings += [_finding(remark, picture.image.id) for remark in told]
        if len(self._images) == TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write the records of the pictures that wait for them."""
        if not self._images:
            return
        images, samples, findings = list(self._images.values()), self._samples, self._findings
        self._images, self._samples, self._findings = {}, [], []
        self.workspace.store.add_samples(images, samples, author=self.author, findings=findings)
        self._new.clear()
        self.findings += len(findings)


def _finding(remark: Remark, image_id: str) -> Finding:
    return Finding(
        id=content_hash([remark.kind, remark.sample_id, remark.message]),  # the same whoever imports it
        kind=remark.kind,
        severity=remark.severity,
        message=remark.message,
        image_id=image_id,
        sample_id=remark.sample_id,
        evidence=remark.evidence,
        created_at=now(),
    )
