"""Pictures and samples on their way into a workspace: what is new, what is known, and the report of both.

Some pictures go to the disk together, and when they are there, their records in one transaction: an import that is cut
off leaves whole pictures, and the next run goes on where it stopped.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from whyseg.curation.blobs import Batch
from whyseg.curation.images import examine, printable
from whyseg.curation.sources import Refusal
from whyseg.curation.times import now
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Finding, Image, Sample, Split, content_hash
from whyseg.schemas.errors import UsageError
from whyseg.schemas.record import Record

TOGETHER = 32  # pictures that are written together; the database keeps other writers waiting for their records' time


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
        self.notes.append(_note(file, text))

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


@dataclass(frozen=True, eq=False)
class _Taken:
    """A picture whose file is on its way to the disk, with what came with it."""

    file: str
    image: Image
    notes: tuple[str, ...]  # on the picture
    samples: Sequence[Sample]
    remarks: Sequence[Remark]
    at: int  # how many notes the report had


class WorkspaceIntake(Intake):
    """An import into a workspace as it goes; call `run`, or `flush` at the end, also after an error.

    What of some pictures is new is asked once for all of them, and they go to the disk together.
    """

    def __init__(self, workspace: Workspace, *, author: str, license: str | None = None, dry_run: bool = False) -> None:
        super().__init__(license=license, dry_run=dry_run)
        self.workspace, self.author = workspace, author
        self._files = Batch(workspace.blobs)
        self._waiting: list[_Taken] = []
        self._images: dict[str, Image] = {}  # of those that wait
        self._would: dict[str, str] = {}  # what a dry run would have added: sample id → content hash
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
        if not self.workspace.blobs.path(key).exists():  # where no file is, no record is: no need to ask
            return None
        return self.workspace.store.find_image(key)

    def take(self, file: str, picture: Picture, samples: Sequence[Sample], remarks: Sequence[Remark] = ()) -> None:
        """Take in a picture with its samples; those that are known, here or in the workspace, are skipped.

        A known sample stays as it is; where the file says something else than any of its revisions, a note says so.
        Remarks on new samples become findings; what was changed to see the picture becomes one on the first of them.
        All this is found out, counted and written at the latest by `flush`.
        """
        if not self.dry_run:
            self._files.put(picture.data)  # writes only where it is missing
        self._images[picture.image.id] = picture.image
        self._waiting.append(_Taken(file, picture.image, picture.notes, samples, remarks, len(self.notes)))
        if len(self._waiting) == TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write the pictures that wait, and what of their samples is new: the files first, then the records.

        Raises ``StoreUnavailable`` where the disk refused a file; the others are taken in.
        """
        waiting, self._waiting, self._images = self._waiting, [], {}
        refused = self._files.settle()
        self._write([one for one in waiting if one.image.id not in refused])
        for error in refused.values():
            raise error

    def _write(self, waiting: Sequence[_Taken]) -> None:
        if not waiting:
            return
        known = self._known([sample.id for one in waiting for sample in one.samples])
        images, new, findings = dict[str, Image](), dict[str, Sample](), list[Finding]()
        noted = list[tuple[int, list[Note]]]()
        for one in waiting:
            fresh, notes = self._sorted(one, known, new)
            new |= fresh
            told = [remark for remark in one.remarks if remark.sample_id in fresh]
            told += [Remark(next(iter(fresh)), text, kind="picture") for text in one.notes if fresh]
            noted.append((one.at, notes + [_note(one.file, remark.message) for remark in told]))
            findings += [_finding(remark, one.image.id) for remark in told]
            if fresh:
                images[one.image.id] = one.image
        for at, notes in reversed(noted):  # each where it would stand if it had not waited
            self.notes[at:at] = notes
        if self.dry_run:
            self._would |= {key: sample.content_hash() for key, sample in new.items()}
        elif new:
            self.workspace.store.add_samples(
                list(images.values()), list(new.values()), author=self.author, findings=findings
            )
            self.findings += len(findings)
        self.added += len(new)

    def _known(self, keys: list[str]) -> dict[str, set[str]]:
        """Return the content hashes of the samples that are known by their ids."""
        known = self.workspace.store.contents(keys)
        for key in self._would.keys() & set(keys):
            known.setdefault(key, set()).add(self._would[key])
        return known

    def _sorted(
        self, one: _Taken, known: dict[str, set[str]], new: dict[str, Sample]
    ) -> tuple[dict[str, Sample], list[Note]]:
        """Return those of a picture's samples that are new, and notes on those that are not and say something else."""
        fresh, notes = dict[str, Sample](), list[Note]()
        for sample in one.samples:
            former = fresh.get(sample.id) or new.get(sample.id)
            if former is None and sample.id not in known:
                fresh[sample.id] = sample
                continue
            self.skipped += 1
            if sample.content_hash() not in (known[sample.id] if former is None else {former.content_hash()}):
                notes.append(_note(one.file, f"sample {sample.id} is known with other content; it stays as it is"))
        return fresh, notes


def _note(file: str, text: str) -> Note:
    return Note(file=printable(file), note=printable(text))


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
