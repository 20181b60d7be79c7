"""The whole story of a sample in one line of time: what the audit log, the revisions and the reviews know of it."""

import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from whyseg.curation import audit
from whyseg.curation.database import Database
from whyseg.curation.tables import AnswerRow, AuditRow, ReviewRow, RevisionRow, SampleRow
from whyseg.schemas.errors import NotFound
from whyseg.schemas.record import Record, Utc
from whyseg.schemas.revision import Comment, Reason, Review

_PARTS = {"mask": "mask", "label": "label", "prompt": "prompts", "outline": "outline", "origin": "origin"}
_NAMES = {"ignore": "ignore region", "reasoning_type": "type"}
_UNTOLD = {"hand_out", "mark_gold", "unmark_gold", "adopt", "assign"}
_UNSAID = {"id", "image_id", "size", "source", "source_record", "instances", "query"}


class Event(Record):
    """Something that happened to a sample.

    ``action``: as in the audit log, where ``entry`` is its number. ``revision`` and ``number``: the revision that it
    made or speaks of. ``changes``: what a revision changed of the one before it, such as "question" or "instance 2:
    mask". ``reasons`` and ``comments`` are a review's, ``reason`` is why the sample was opened again, or why a change
    was proposed that was accepted or dismissed.
    """

    entry: int
    at: Utc
    by: str
    action: str
    revision: str | None = None
    number: int | None = None
    changes: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    comments: tuple[Comment, ...] = ()
    reason: str | None = None


def history(database: Database, sample_id: str, *, whole: bool = True) -> list[Event]:
    """Return what happened to a sample, newest first; raises ``NotFound``.

    Without ``whole`` nothing tells a blind answer from other samples, or a gold item from other accepted ones.
    """
    with database.read() as session:
        if session.get(SampleRow, sample_id) is None:
            raise NotFound("sample", sample_id)
        numbers, changes = _revisions(session, sample_id)
        asked = select(ReviewRow.body).where(ReviewRow.sample_id == sample_id).order_by(ReviewRow.created_at)
        reviews = iter([Review.parse(body) for body in session.scalars(asked)])
        rows = session.scalars(select(AuditRow).where(AuditRow.subject == sample_id).order_by(AuditRow.number))
        found = []
        for row in rows:
            entry = audit.entry_of(row)
            revision = str(entry.detail.get("revision") or "")
            told: dict[str, Any] = {"revision": revision or None, "number": numbers.get(revision)}
            if entry.action in ("accept", "reject") and (review := next(reviews, None)):  # both are in one order
                told |= {"reasons": review.reasons, "comments": review.comments}
            elif entry.action == "revise":
                told |= {"changes": changes.get(revision, ())}
            elif entry.action in ("reopen", "accept_proposal", "dismiss_proposal"):
                told |= {"reason": entry.detail.get("reason")}
            found.append(Event(entry=entry.number, at=entry.at, by=entry.actor, action=entry.action, **told))
        if not whole:
            found = _blinded(session, sample_id, found)
    return found[::-1]


def _blinded(session: Session, sample_id: str, events: list[Event]) -> list[Event]:
    """Leave out what tells of blind answers and gold; an answer begins where its original did."""
    kept = [event for event in events if event.action not in _UNTOLD]
    answer = session.get(AnswerRow, sample_id)
    if answer is None or not kept:
        return kept
    begun = select(AuditRow).where(AuditRow.subject == answer.original_id).order_by(AuditRow.number).limit(1)
    first = audit.entry_of(session.scalars(begun).one())
    return [kept[0].model_copy(update={"entry": first.number, "at": first.at, "by": first.actor}), *kept[1:]]


def changed(before: dict[str, Any], after: dict[str, Any]) -> tuple[str, ...]:
    """Say what differs between two samples' plain data."""
    found = []
    old, new = (sample.get("query") or {} for sample in (before, after))
    if old.get("text") != new.get("text"):
        found.append("question")
    if (old.get("alternates") or []) != (new.get("alternates") or []):
        found.append("paraphrases")
    if old and new and old["is_sentence"] != new["is_sentence"]:
        found.append("sentence" if new["is_sentence"] else "phrase")
    found += [_NAMES.get(name, name.replace("_", " ")) for name in after
              if name not in _UNSAID and before.get(name) != after[name]]  # fmt: skip
    return (*found, *_instances(before, after))


def _instances(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    old, new = ({one["id"]: one for one in sample.get("instances", [])} for sample in (before, after))
    found = [f"instance {key} added" for key in new if key not in old]
    found += [f"instance {key} removed" for key in old if key not in new]
    for key in new:
        if key in old and old[key] != new[key]:
            parts = [name for field, name in _PARTS.items() if old[key].get(field) != new[key].get(field)]
            # A mask that moved brings its prompts along: those are worth a word only by themselves.
            found.append(f"instance {key}: {', '.join([one for one in parts if one in ('mask', 'label')] or parts)}")
    return found


def _revisions(session: Session, sample_id: str) -> tuple[dict[str, int], dict[str, tuple[str, ...]]]:
    """Return the number of each revision, and what it changed; one revision's masks are held at a time."""
    columns = RevisionRow.id, RevisionRow.number, RevisionRow.body
    asked = select(*columns).where(RevisionRow.sample_id == sample_id).order_by(RevisionRow.number)
    numbers: dict[str, int] = {}
    changes: dict[str, tuple[str, ...]] = {}
    before: dict[str, Any] = {}
    for key, number, body in session.execute(asked.execution_options(yield_per=20)):
        sample = json.loads(body)
        numbers[key] = number
        changes[key] = changed(before, sample) if before else ()
        before = sample
    return numbers, changes
