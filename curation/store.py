"""The store: the only way to the database. Records in, records out; every method is one short transaction."""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import URL, bindparam, func, insert, select
from sqlalchemy.orm import Session

from whyseg.curation import audit, leases, queries, transitions
from whyseg.curation.database import Database
from whyseg.curation.findings import Settled, finding_row, read_findings, settle_findings, weigh
from whyseg.curation.queries import Order, Page, Place, SampleFilter, Stats
from whyseg.curation.rows import add_sample_rows, revision_of
from whyseg.curation.tables import AuditRow, FindingRow, ImageRow, ReviewRow, RevisionRow, SampleRow, SuggestionRow
from whyseg.curation.times import now, stamp
from whyseg.curation.transitions import head_of
from whyseg.curation.visibility import Viewer
from whyseg.schemas.errors import (
    NotFound,
    SizeMismatch,
    WhysegError,
)
from whyseg.schemas.image import Image
from whyseg.schemas.record import Record
from whyseg.schemas.revision import AuditEntry, Finding, Head, Lease, Review, Revision, State, Suggestion
from whyseg.schemas.sample import Sample

R = TypeVar("R", bound=Record)
LEASE_SECONDS = 60.0
_IMAGES = ImageRow.__table__.c
_REVISIONS = RevisionRow.__table__.c
# Made once: an import asks for every picture, and a list that is no part of the question takes a tenth of the time.
_IMAGE = select(_IMAGES.body).where(_IMAGES.id == bindparam("key"))
_CONTENTS = select(_REVISIONS.sample_id, _REVISIONS.content).where(
    _REVISIONS.sample_id.in_(bindparam("keys", expanding=True))
)


class Store:
    """Images, samples and all that happened to them.

    History is append-only: a sample is a pointer to its newest revision, and `revise` is the only way to move it.
    """

    def __init__(self, url: str | URL, *, clock: Callable[[], datetime] = now) -> None:
        self.database = Database(url)
        try:
            self.database.migrate()
        except WhysegError:
            self.close()
            raise
        self.clock = clock

    def close(self) -> None:
        """Close the connections."""
        self.database.close()

    def add_image(self, image: Image, *, author: str) -> bool:
        """Add an image whose bytes are stored already; False when it is known."""
        with self.database.write() as session:
            if session.get(ImageRow, image.id):
                return False
            self._add_images(session, [image], author)
            return True

    def add_samples(
        self, images: list[Image], samples: list[Sample], *, author: str, findings: Sequence[Finding] = ()
    ) -> int:
        """Add images, samples and findings in one transaction; return how many samples are new.

        What is known by its id is skipped. Raises as `add_sample` does, and nothing is added then.
        """
        with self.database.write() as session:
            wanted = {image.id for image in images} | {sample.image_id for sample in samples}
            sizes = {image.id: image.size for image in _images(session, list(wanted))}
            added = {image.id: image for image in images if image.id not in sizes}
            self._add_images(session, list(added.values()), author)
            sizes |= {image.id: image.size for image in added.values()}
            known = _known(session, SampleRow.id, [sample.id for sample in samples])
            new = {sample.id: sample for sample in samples if sample.id not in known}
            self._add_drafts(session, list(new.values()), sizes, author)
            found = {finding.id: finding for finding in findings}
            for key in found.keys() - _known(session, FindingRow.id, list(found)):
                session.add(finding_row(found[key]))
            weigh(session, (one.sample_id for one in found.values()))
            return len(new)

    def add_sample(self, sample: Sample, *, author: str) -> Head:
        """Add a sample with its first revision; the head as it is when the sample is known.

        Raises ``NotFound`` when its image is not in the store, ``SizeMismatch`` when their sizes differ.
        """
        self.add_samples([], [sample], author=author)
        return self.head(sample.id)

    def contents(self, sample_ids: list[str]) -> dict[str, set[str]]:
        """Return the content hashes of all revisions of the samples that are known."""
        found: dict[str, set[str]] = {}
        with self.database.read() as session:
            for start in range(0, len(sample_ids), 500):
                for key, content in session.connection().execute(_CONTENTS, {"keys": sample_ids[start : start + 500]}):
                    found.setdefault(key, set()).add(content)
        return found

    def image(self, image_id: str) -> Image:
        """Return an image's record; raises ``NotFound``."""
        if (found := self.find_image(image_id)) is None:
            raise NotFound("image", image_id)
        return found

    def find_image(self, image_id: str) -> Image | None:
        """Return an image's record; None where there is none."""
        with self.database.read() as session:
            body = session.connection().scalar(_IMAGE, {"key": image_id})
            return None if body is None else Image.parse(body)

    def images(self) -> list[str]:
        """Return the ids of all images, in the order of adding."""
        with self.database.read() as session:
            return list(session.scalars(select(ImageRow.id).order_by(ImageRow.added_at, ImageRow.id)))

    def head(self, sample_id: str) -> Head:
        """Return a sample as it stands; raises ``NotFound``."""
        with self.database.read() as session:
            return head_of(session, sample_id)

    def revision(self, revision_id: str) -> Revision:
        """Return a revision; raises ``NotFound``."""
        with self.database.read() as session:
            row = session.get(RevisionRow, revision_id)
            if row is None:
                raise NotFound("revision", revision_id)
            return revision_of(row)

    def revisions(self, sample_id: str) -> list[Revision]:
        """Return a sample's revisions, newest first; raises ``NotFound``."""
        with self.database.read() as session:
            _sample_row(session, sample_id)
            found = select(RevisionRow).where(RevisionRow.sample_id == sample_id).order_by(RevisionRow.number.desc())
            return [revision_of(row) for row in session.scalars(found)]

    def revise(
        self,
        sample_id: str,
        sample: Sample,
        *,
        parent: str,
        author: str,
        edit: str | None = None,
        leased: bool = False,
    ) -> Head:
        """Make ``sample`` the newest revision, on the revision ``parent`` that it was changed from.

        The same ``edit`` again returns the head that it made; content equal to the newest makes no revision. A
        submitted or rejected sample becomes a draft. Raises ``NotFound``, ``StaleParent`` when somebody was faster,
        ``IllegalTransition`` when it is locked (accepted, or a blind answer that was handed in), ``InvalidRecord`` when
        the change is about another sample or image, and with ``leased`` ``LeaseHeld`` or ``LeaseLost`` unless the
        author has the lease.
        """
        with self.database.write() as session:
            return transitions.revise(
                session, self.clock(), sample_id, sample, parent=parent, author=author, edit=edit, leased=leased
            )

    def submit(self, sample_id: str, *, parent: str, author: str, leased: bool = False) -> Head:
        """Hand a sample in for review; a submitted one stays so.

        Raises ``StaleParent``, ``IllegalTransition`` when it is accepted, ``Incomplete`` with what it lacks, and with
        ``leased`` as `revise` does.
        """
        with self.database.write() as session:
            return transitions.submit(session, self.clock(), sample_id, parent=parent, author=author, leased=leased)

    def review(self, review: Review) -> Head:
        """Accept or reject a submitted revision.

        Raises ``StaleParent`` when the sample was revised since, ``IllegalTransition`` when it is not submitted.
        """
        with self.database.write() as session:
            return transitions.review(session, self.clock(), review)

    def reopen(self, sample_id: str, *, author: str, reason: str) -> Head:
        """Unlock an accepted sample: it becomes a draft again; raises ``IllegalTransition`` when it is not accepted."""
        with self.database.write() as session:
            return transitions.reopen(session, self.clock(), sample_id, author=author, reason=reason)

    def reviews(self, sample_id: str) -> list[Review]:
        """Return a sample's reviews, newest first."""
        return self._records(ReviewRow, Review, ReviewRow.sample_id == sample_id)

    def add_suggestion(self, suggestion: Suggestion) -> None:
        """Keep what a machine proposed, beside whatever people make of it."""
        with self.database.write() as session:
            at = stamp(suggestion.created_at)
            body = suggestion.model_dump_json()
            session.add(SuggestionRow(id=suggestion.id, sample_id=suggestion.sample_id, created_at=at, body=body))

    def suggestions(self, sample_id: str) -> list[Suggestion]:
        """Return the suggestions for a sample, newest first."""
        return self._records(SuggestionRow, Suggestion, SuggestionRow.sample_id == sample_id)

    def add_finding(self, finding: Finding) -> None:
        """Keep a finding."""
        with self.database.write() as session:
            session.add(finding_row(finding))
            weigh(session, [finding.sample_id])

    def settle_findings(self, found: Iterable[Finding], kinds: Collection[str]) -> Settled:
        """Make the open findings of some kinds those that were found; none is deleted, known ones stay."""
        with self.database.write() as session:
            return settle_findings(session, found, kinds, self.clock())

    def findings(self, sample_id: str | None = None, *, gone: bool = False) -> list[Finding]:
        """Return the open findings about a sample, or all, newest first; with ``gone`` also those that are gone."""
        with self.database.read() as session:
            return read_findings(session, sample_id, gone=gone)

    def claim(self, sample_id: str, holder: str, *, seconds: float = LEASE_SECONDS) -> Lease:
        """Take or renew a lease on a sample; raises ``LeaseHeld`` while somebody else's lives."""
        with self.database.write() as session:
            return leases.claim(session, sample_id, holder, self.clock(), seconds)

    def claim_next(
        self, wanted: SampleFilter, holder: str, *, seconds: float = LEASE_SECONDS, after: str | None = None
    ) -> Lease | None:
        """Take a lease on the first matching sample, from ``after`` on, that nobody else holds; None without one."""
        with self.database.write() as session:
            return leases.claim_next(session, wanted, holder, self.clock(), seconds, after)

    def renew(self, lease: Lease, *, seconds: float = LEASE_SECONDS) -> Lease:
        """Prolong a lease: the heartbeat; raises ``LeaseLost``."""
        with self.database.write() as session:
            return leases.renew(session, lease, self.clock(), seconds)

    def release(self, lease: Lease) -> None:
        """Give a lease back."""
        with self.database.write() as session:
            leases.release(session, lease)

    def page(self, wanted: SampleFilter, *, order: Order = "added", offset: int = 0, limit: int = 50) -> Page:
        """Return a page of the samples that match."""
        with self.database.read() as session:
            return queries.page(session, wanted, order, offset, limit)

    def place(self, sample_id: str, viewer: Viewer | None = None) -> Place:
        """Return a sample's neighbours and position in the order of adding, as a viewer sees them; or ``NotFound``."""
        with self.database.read() as session:
            return queries.place(session, sample_id, viewer)

    def stats(self) -> Stats:
        """Count what the workspace holds."""
        with self.database.read() as session:
            return queries.stats(session, session.scalar(select(func.count()).select_from(RevisionRow)) or 0)

    def audit_log(self, *, subject: str | None = None, after: int = 0, limit: int = 1000) -> list[AuditEntry]:
        """Return audit entries in their order, those after a number, of one subject or of all."""
        with self.database.read() as session:
            found = select(AuditRow).where(AuditRow.number > after).order_by(AuditRow.number).limit(limit)
            if subject is not None:
                found = found.where(AuditRow.subject == subject)
            return [audit.entry_of(row) for row in session.scalars(found)]

    def _add_images(self, session: Session, images: list[Image], author: str) -> None:
        rows, changes = list[dict[str, str]](), list[audit.Change]()
        for image in images:
            at, told = self.clock(), {"file_name": image.file_name, "record": image.content_hash()}
            row = {"id": image.id, "file_name": image.file_name, "added_at": stamp(at)}
            rows.append({**row, "body": image.model_dump_json()})
            changes.append((at, author, "add_image", image.id, told))
        if rows:
            session.connection().execute(insert(ImageRow), rows)
        audit.extend(session, changes)

    def _add_drafts(
        self, session: Session, samples: list[Sample], sizes: dict[str, tuple[int, int]], author: str
    ) -> None:
        revisions = list[Revision]()
        for sample in samples:
            if sample.image_id not in sizes:
                raise NotFound("image", sample.image_id)
            if sizes[sample.image_id] != sample.size:
                raise SizeMismatch(f"sample {sample.id}", sizes[sample.image_id], sample.size)
            revisions.append(Revision.make(sample, number=1, parent=None, author=author, created_at=self.clock()))
        add_sample_rows(session, revisions)
        audit.extend(session, [(one.created_at, author, "add_sample", one.sample.id, _begun(one)) for one in revisions])

    def _records(self, table: Any, record: type[R], *where: Any) -> list[R]:
        with self.database.read() as session:
            found = select(table.body).where(*where).order_by(table.created_at.desc())
            return [record.parse(body) for body in session.scalars(found)]


def _begun(revision: Revision) -> dict[str, str]:
    return {"revision": revision.id, "state": State.DRAFT.value}


def _images(session: Session, keys: list[str]) -> list[Image]:
    return [Image.parse(body) for body in _known(session, ImageRow.id, keys, ImageRow.body)]


def _known(session: Session, column: Any, keys: list[str], value: Any = None) -> set[str]:
    """Return which keys are in a column, or another column's values beside them, a few hundred a question."""
    found: set[str] = set()
    for start in range(0, len(keys), 500):
        asked = select(column if value is None else value).where(column.in_(bindparam("keys", expanding=True)))
        found.update(session.connection().scalars(asked, {"keys": keys[start : start + 500]}))
    return found


def _sample_row(session: Session, sample_id: str) -> SampleRow:
    row = session.get(SampleRow, sample_id)
    if row is None:
        raise NotFound("sample", sample_id)
    return row
