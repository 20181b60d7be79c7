"""What each person of a team did, counted from the audit log and the reviews.

A decision counts for whoever submitted what was judged, and for the reviewer as a review made. Working time is not
recorded; two spans stand in for it, as medians, since either holds whatever lay idle in between: from a person's first
save of a sample, after it was added or last handed in, to their submitting it; and from a submission to the decision.

The log is read once, and then from where it was left: of 100,000 samples it has half a million entries that count, and
asking the database for all of it anew, grouped and with window functions, takes seconds each time.
"""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from whyseg.curation.database import Database
from whyseg.curation.tables import AuditRow, ReviewRow, UserRow
from whyseg.schemas.record import Record
from whyseg.schemas.user import Role

DECISIONS = {"accept": "accepted", "reject": "rejected"}
_COUNTED = ("revise", "submit", "reopen", *DECISIONS)
_LOG = AuditRow.__table__.c  # plain columns: rows of the mapped class cost twice the time
_SOME = 500


class Tally(Record):
    """Counts: saves, submissions, what became of the submissions that were judged, and reviews made."""

    revisions: int = 0
    submitted: int = 0
    accepted: int = 0
    rejected: int = 0
    reviews: int = 0


class Person(Tally):
    """What one person did.

    ``samples``: how many different samples they submitted. ``rejection_rate``: rejected of accepted and rejected, in
    [0, 1]; None where nothing was judged. ``reasons``: how often each was given against their submissions.
    ``work_seconds``: the median from the first save to submitting; ``decision_seconds``: the median from a submission
    to their decision on it, waiting included. ``role`` is None for somebody who is no user of this workspace. ``days``:
    the counts by day in UTC; a decision is of the day when it was made.
    """

    name: str
    role: Role | None
    disabled: bool
    samples: int
    rejection_rate: float | None
    reasons: dict[str, int]
    work_seconds: float | None
    decision_seconds: float | None
    days: dict[str, Tally]


class People(Record):
    """Everybody who did something, or may sign in, by name; ``since`` and ``until`` are days in UTC, both included."""

    since: date | None
    until: date | None
    people: tuple[Person, ...]


class _Day:
    """What one person did on one day."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.samples: set[str] = set()
        self.work: list[float] = []
        self.decisions: list[float] = []


class Throughput:
    """What everybody did in a workspace; threads may ask at once."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = threading.Lock()
        self._forget()

    def people(self, since: date | None = None, until: date | None = None) -> People:
        """Return what everybody did from the day ``since`` to the day ``until``, in UTC; None does not restrict."""
        first, last = since.isoformat() if since else "", until.isoformat() if until else "9999"
        with self._lock, self.database.read() as session:
            self._go_on(session)
            users = {row.name: row for row in session.scalars(select(UserRow))}
            found = {
                name: {day: self._days[name][day] for day in sorted(self._days[name]) if first <= day <= last}
                for name in self._days
            }
        names = sorted(
            {*users, *(name for name, days in found.items() if days)}, key=lambda name: (name.casefold(), name)
        )
        return People(
            since=since,
            until=until,
            people=tuple(_person(name, users.get(name), found.get(name, {})) for name in names),
        )

    def _forget(self) -> None:
        self._number, self._hash = 0, ""
        self._days: defaultdict[str, defaultdict[str, _Day]] = defaultdict(lambda: defaultdict(_Day))
        self._begun: dict[str, dict[str, str]] = {}  # sample → person → their first save since it was handed in
        self._waiting: dict[str, tuple[str, str]] = {}  # sample → who submitted it, when
        self._judged: Counter[str] = Counter()  # sample → how often it was decided on

    def _go_on(self, session: Session) -> None:
        """Read the log from where it was left; from its beginning when it is not the one that was read."""
        if self._number and session.scalar(select(_LOG.hash).where(_LOG.number == self._number)) != self._hash:
            self._forget()
        last = session.execute(select(_LOG.number, _LOG.hash).order_by(_LOG.number.desc()).limit(1)).first()
        if last is None or last.number == self._number:
            return
        asked = select(_LOG.at, _LOG.actor, _LOG.action, _LOG.subject).where(
            _LOG.action.in_(_COUNTED), _LOG.number > self._number
        )
        rejected: list[tuple[str, int, _Day]] = []
        rows = session.connection().execute(asked.order_by(_LOG.number).execution_options(yield_per=10_000))
        done = False
        try:
            for at, actor, action, subject in rows:
                self._take(at, actor, action, subject, rejected)
            self._give_reasons(session, rejected)
            done = True
        finally:
            if not done:  # else what was counted of it would be counted again
                self._forget()
        self._number, self._hash = last

    def _take(self, at: str, actor: str, action: str, subject: str, rejected: list[tuple[str, int, _Day]]) -> None:
        if action == "revise":
            self._days[actor][at[:10]].counts["revisions"] += 1
            self._begun.setdefault(subject, {}).setdefault(actor, at)
            return
        begun = self._begun.pop(subject, {})
        if action == "submit":
            day = self._days[actor][at[:10]]
            day.counts["submitted"] += 1
            day.samples.add(subject)
            if actor in begun:
                day.work.append(_seconds(begun[actor], at))
            self._waiting[subject] = actor, at
        elif action in DECISIONS:
            self._decide(at, actor, action, subject, rejected)

    def _decide(self, at: str, actor: str, action: str, subject: str, rejected: list[tuple[str, int, _Day]]) -> None:
        reviewer = self._days[actor][at[:10]]
        reviewer.counts["reviews"] += 1
        if subject not in self._waiting:  # the store writes no such log; `verify` is there to complain
            return
        submitter, submitted = self._waiting.pop(subject)
        theirs = self._days[submitter][at[:10]]
        reviewer.decisions.append(_seconds(submitted, at))
        theirs.counts[DECISIONS[action]] += 1
        if action == "reject":
            rejected.append((subject, self._judged[subject], theirs))
        self._judged[subject] += 1

    def _give_reasons(self, session: Session, rejected: list[tuple[str, int, _Day]]) -> None:
        """Count the reasons of some rejections; a sample's reviews and decisions are in one order."""
        subjects = sorted({subject for subject, _, _ in rejected})
        reviews: defaultdict[str, list[str]] = defaultdict(list)
        for start in range(0, len(subjects), _SOME):
            asked = select(ReviewRow.sample_id, ReviewRow.body).where(
                ReviewRow.sample_id.in_(subjects[start : start + _SOME])
            )
            for sample, body in session.execute(asked.order_by(ReviewRow.created_at)):
                reviews[sample].append(body)
        for subject, place, day in rejected:
            for body in reviews[subject][place : place + 1]:
                day.reasons.update(json.loads(body)["reasons"])


def _person(name: str, user: UserRow | None, days: dict[str, _Day]) -> Person:
    total: Counter[str] = sum((day.counts for day in days.values()), Counter())
    reasons: Counter[str] = sum((day.reasons for day in days.values()), Counter())
    judged = total["accepted"] + total["rejected"]
    return Person(
        **total,
        name=name,
        role=Role(user.role) if user else None,
        disabled=bool(user and user.disabled),
        samples=len(set().union(*(day.samples for day in days.values()))),
        rejection_rate=total["rejected"] / judged if judged else None,
        reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        work_seconds=_median(day.work for day in days.values()),
        decision_seconds=_median(day.decisions for day in days.values()),
        days={day: Tally(**found.counts) for day, found in days.items()},
    )


def _median(parts: Iterable[list[float]]) -> float | None:
    together = [value for part in parts for value in part]
    return median(together) if together else None


def _seconds(before: str, after: str) -> float:
    return (datetime.fromisoformat(after) - datetime.fromisoformat(before)).total_seconds()
