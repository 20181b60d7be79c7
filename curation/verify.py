"""Verification: every hash, link, pointer and file of a workspace, derived again from what it stands for."""

import hashlib
from collections.abc import Callable, Iterator

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from whyseg.curation import audit
from whyseg.curation.answer_checks import answer_problems, work_problems
from whyseg.curation.model_checks import proposal_problems, signal_problems
from whyseg.curation.rankings import rank_problems
from whyseg.curation.release_checks import list_problems
from whyseg.curation.rows import all_revisions, pointer, revision_of
from whyseg.curation.searching import word_problems
from whyseg.curation.tables import AuditRow, ImageRow, ReleaseRow, ReviewRow, RevisionRow, SampleRow
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import CorruptStore, NotFound
from whyseg.schemas.image import Image
from whyseg.schemas.record import Record
from whyseg.schemas.release import Release
from whyseg.schemas.revision import Review, State

# What an audit entry holds the hash of, by its key there.
_VOUCHED = {
    "revision": "a revision of sample",
    "record": "image",
    "review": "a review of sample",
    "release": "release",
    "answer": "blind answer",
    "decision": "the decision on a proposal for sample",
}


class Problem(Record):
    """Something that does not agree with its hash or its counterpart."""

    what: str
    message: str


def verify(workspace: Workspace, progress: Callable[[str], None] = lambda _: None) -> list[Problem]:
    """Derive everything again and return what does not agree; an empty list means that the workspace is whole.

    ``progress`` is called with the name of each part. Raises ``CorruptStore`` when the database cannot even be read.
    """
    problems: list[Problem] = []
    with workspace.store.database.read() as session:
        progress("database")
        if workspace.store.database.sqlite:
            problems += _integrity(session)
        progress("audit log")
        states, vouched, chain = _audit_chain(session)
        problems += chain
        progress("revisions")
        newest: dict[str, int] = {}
        logged = set(vouched)
        problems += _revisions(session, logged, newest)
        progress("samples")
        problems += _samples(session, states, newest)
        problems += [Problem(what=what, message=message) for what, message in word_problems(session)]
        progress("images")
        problems += _images(session, workspace, logged)
        progress("reviews")
        problems += _reviews(session, logged)
        progress("assignments, answers, gold items")
        told = [*answer_problems(session, logged), *work_problems(session)]
        problems += [Problem(what=what, message=message) for what, message in told]
        progress("score runs, proposals")
        told = [*proposal_problems(session, logged), *signal_problems(session), *rank_problems(session)]
        problems += [Problem(what=what, message=message) for what, message in told]
        progress("releases")
        problems += _releases(session, logged)
        problems += [Problem(what=vouched[key], message="is in the audit log, but gone") for key in sorted(logged)]
    return problems


def _integrity(session: Session) -> Iterator[Problem]:
    for (message,) in session.execute(text("PRAGMA integrity_check")):
        if message != "ok":
            yield Problem(what="database", message=str(message))
    for row in session.execute(text("PRAGMA foreign_key_check")):
        yield Problem(what="database", message=f"a row of {row[0]} points to a {row[2]} that is not there")


def _audit_chain(session: Session) -> tuple[dict[str, str], dict[str, str], list[Problem]]:
    """Walk the chain; return each subject's last state, what every hash is that an entry vouches for, and the problems.

    Whoever meets a vouched thing takes its hash away, so that what is left at the end is gone from the store.
    """
    states: dict[str, str] = {}
    vouched: dict[str, str] = {}
    problems: list[Problem] = []
    expected, previous = 1, audit.GENESIS
    for row in session.scalars(select(AuditRow).order_by(AuditRow.number).execution_options(yield_per=1000)):
        try:
            entry = audit.entry_of(row)
            derived = entry.derived_hash()
        except (ValueError, TypeError, RecursionError) as error:
            problems.append(Problem(what=f"audit entry {row.number}", message=f"cannot be read: {error}"))
            expected, previous = row.number + 1, row.hash
            continue
        if entry.number != expected or entry.previous != previous:
            problems.append(Problem(what=f"audit entry {entry.number}", message="does not follow the entry before it"))
        if derived != entry.hash:
            problems.append(Problem(what=f"audit entry {entry.number}", message="was changed: its hash does not fit"))
        if "state" in entry.detail:
            states[entry.subject] = entry.detail["state"]
        for key, what in _VOUCHED.items():
            if key in entry.detail:
                vouched[str(entry.detail[key])] = f"{what} {entry.subject}"
        expected, previous = entry.number + 1, entry.hash
    return states, vouched, problems


def _revisions(session: Session, logged: set[str], newest: dict[str, int]) -> Iterator[Problem]:
    """Yield what is wrong with the revisions; ``newest`` receives each sample's last number."""
    sample, number, parent = "", 0, None
    for row in all_revisions(session):
        if row.sample_id != sample:
            sample, number, parent = row.sample_id, 0, None
        where = f"revision {row.number} of sample {row.sample_id}"
        if row.number != number + 1 or row.parent != parent:
            yield Problem(what=where, message="does not follow the revision before it")
        number, parent = row.number, row.id
        newest[sample] = number
        try:
            revision = revision_of(row)
        except CorruptStore as error:
            yield Problem(what=where, message=str(error))
            continue
        if revision.sample.content_hash() != revision.content:
            yield Problem(what=where, message="its content was changed: the content hash does not fit")
        if revision.derived_id() != revision.id:
            yield Problem(what=where, message="was changed: its hash does not fit")
        if revision.sample.id != row.sample_id:
            yield Problem(what=where, message=f"is about another sample, {revision.sample.id}")
        if not _take(logged, revision.id):
            yield Problem(what=where, message="is not in the audit log")


def _samples(session: Session, states: dict[str, str], newest: dict[str, int]) -> Iterator[Problem]:
    joined = select(SampleRow, RevisionRow).outerjoin(RevisionRow, RevisionRow.id == SampleRow.head)
    expected = 0
    for row, head in session.execute(joined.order_by(SampleRow.added).execution_options(yield_per=500)):
        expected += 1
        if row.added != expected:
            yield Problem(what=f"sample {row.id}", message=f"is number {row.added} in the list, expected {expected}")
            expected = row.added
        where = f"sample {row.id}"
        if head is None or head.sample_id != row.id or head.number != newest.get(row.id):
            yield Problem(what=where, message="does not point to its newest revision")
            continue
        try:
            wanted = pointer(revision_of(head))
        except CorruptStore:
            continue  # told with the revision
        differing = [name for name, value in wanted.items() if getattr(row, name) != value]
        if differing:
            yield Problem(
                what=where, message=f"its list entry differs from its newest revision: {', '.join(differing)}"
            )
        if row.state not in {state.value for state in State} or states.get(row.id) != row.state:
            yield Problem(what=where, message=f"is {row.state}, but the audit log says {states.get(row.id)}")


def _images(session: Session, workspace: Workspace, logged: set[str]) -> Iterator[Problem]:
    for row in session.scalars(select(ImageRow).order_by(ImageRow.id).execution_options(yield_per=500)):
        where = f"image {row.id}"
        try:
            image = Image.parse(row.body)
            data = workspace.blobs.read(row.id)
        except NotFound:
            yield Problem(what=where, message=f"its file is missing ({row.file_name})")
            continue
        except (ValueError, OSError) as error:
            yield Problem(what=where, message=f"cannot be read: {error}")
            continue
        if hashlib.sha256(data).hexdigest() != row.id:
            yield Problem(what=where, message=f"its file was changed ({row.file_name})")
        if (image.id, image.file_name) != (row.id, row.file_name) or not _take(logged, image.content_hash()):
            yield Problem(what=where, message="its record is not the one in the audit log")


def _reviews(session: Session, logged: set[str]) -> Iterator[Problem]:
    for row in session.scalars(select(ReviewRow).execution_options(yield_per=500)):
        where = f"review {row.id}"
        try:
            review = Review.parse(row.body)
        except ValueError as error:
            yield Problem(what=where, message=f"cannot be read: {error}")
            continue
        if (review.id, review.sample_id, review.revision_id) != (row.id, row.sample_id, row.revision_id):
            yield Problem(what=where, message="its list entry differs from it")
        if not _take(logged, review.content_hash()):
            yield Problem(what=where, message="is not in the audit log")


def _releases(session: Session, logged: set[str]) -> Iterator[Problem]:
    sides: dict[str, str] = {}
    for row in session.scalars(select(ReleaseRow).order_by(ReleaseRow.created_at, ReleaseRow.name)).all():
        for message in list_problems(session, row, sides):
            yield Problem(what=f"release {row.name}", message=message)
        try:
            known = _take(logged, Release.parse(row.body).content_hash())
        except ValueError:
            continue  # told above
        if not known:
            yield Problem(what=f"release {row.name}", message="its record is not the one in the audit log")


def _take(logged: set[str], key: str) -> bool:
    """Take a hash away; False when it was not there."""
    known = key in logged
    logged.discard(key)
    return known
