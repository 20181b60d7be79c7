"""What `verify` asks of assignments, blind answers and gold items: that they are what the audit log says."""

import json
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from whyseg.curation.answers import answer_of
from whyseg.curation.tables import AnswerRow, AssignmentRow, AuditRow, GoldRow, RevisionRow, SampleRow


def answer_problems(session: Session, logged: set[str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the answers, as (what, message); takes their hashes from what the log vouches for."""
    for row in session.scalars(select(AnswerRow).order_by(AnswerRow.sample_id)):
        what = f"blind answer {row.sample_id}"
        try:
            key = answer_of(row).content_hash()
        except ValueError as error:
            yield what, f"cannot be read: {error}"
            continue
        if key not in logged:
            yield what, "its record is not the one in the audit log"
        logged.discard(key)
        revision = session.get(RevisionRow, row.original_revision)
        if revision is None or revision.sample_id != row.original_id:
            yield what, f"names revision {row.original_revision}, which is none of sample {row.original_id}"
        if session.get_one(SampleRow, row.sample_id).image_id != session.get_one(SampleRow, row.original_id).image_id:
            yield what, f"is about another picture than sample {row.original_id}"
        if session.get(AnswerRow, row.original_id) is not None:
            yield what, f"answers sample {row.original_id}, which is an answer itself"


def work_problems(session: Session) -> Iterator[tuple[str, str]]:
    """Yield where assignments and gold items are not as the audit log left them, as (what, message)."""
    users: dict[str, str] = {}
    golds: dict[str, str] = {}
    logged = select(AuditRow).where(AuditRow.action.in_(("assign", "mark_gold", "unmark_gold")))
    for row in session.scalars(logged.order_by(AuditRow.number).execution_options(yield_per=1000)):
        told, key = (users, "user") if row.action == "assign" else (golds, "gold")
        value = _detail(row).get(key)
        if isinstance(value, str):
            told[row.subject] = value
        else:
            told.pop(row.subject, None)
    found = {row.sample_id: row.user for row in session.scalars(select(AssignmentRow))}
    marked = {row.sample_id: row.revision_id for row in session.scalars(select(GoldRow))}
    yield from _differences("the assignment of sample", users, found)
    yield from _differences("the gold item of sample", golds, marked)


def _differences(what: str, expected: dict[str, str], found: dict[str, str]) -> Iterator[tuple[str, str]]:
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            yield f"{what} {key}", f"is {found.get(key, 'none')}, but the audit log says {expected.get(key, 'none')}"


def _detail(row: AuditRow) -> dict[str, object]:
    try:
        return dict(json.loads(row.detail))
    except (ValueError, TypeError):  # told with the audit log
        return {}
