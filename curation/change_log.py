"""The change log between two releases: why each sample changed, who decided so, and what was changed by hand.

A benchmark that is corrected says of every sample what was wrong with it. Revisions that an accepted proposal made
carry its reason; all others count as changes by hand.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from whyseg.curation.history import changed
from whyseg.curation.release_diff import Change, diff
from whyseg.curation.releases import Releases
from whyseg.curation.tables import ImageRow, ProposalRow, RevisionRow
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Decision, Image, Proposal, Release, ReleaseItem, RevisionReason
from whyseg.schemas.errors import UsageError
from whyseg.schemas.record import Record, Utc

BY_HAND = "by hand"
_PLAIN = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_{}[]<>()#+!|~&"} | {"\n": " ", "\r": " "})


class Step(Record):
    """A revision between two releases, or the decision that took a sample out.

    ``changes``: what it changed, as a sample's history says it. ``reason``, ``says`` and ``made_by`` are the accepted
    proposal's; None where there was none, and a person changed it by hand. ``by``: who accepted or changed it.
    """

    number: int
    by: str
    at: Utc
    changes: tuple[str, ...] = ()
    proposal: str | None = None
    reason: RevisionReason | None = None
    says: str | None = None
    made_by: str | None = None


class LogEntry(Record):
    """A sample that differs between the releases.

    ``name``: what its source calls it, else its picture's file. ``fields``, ``iou`` (of its targets before and after)
    and ``queries`` as in `release_diff.Change`.
    """

    sample_id: str
    name: str
    kind: Literal["changed", "added", "removed"]
    fields: tuple[str, ...] = ()
    iou: float | None = None
    queries: tuple[str | None, str | None] = (None, None)
    steps: tuple[Step, ...] = ()

    def reasons(self) -> tuple[str, ...]:
        """Return why it differs: the reasons of its steps in their order, each once, `BY_HAND` for one without."""
        told = [step.reason.value if step.reason else BY_HAND for step in self.steps]
        return tuple(dict.fromkeys(told)) or (() if self.kind == "added" else (BY_HAND,))


class ChangeLog(Record):
    """All that differs from the ``before`` release to the ``after`` one, in the order of sample ids within each kind.

    ``same``: samples that do not. ``reasons`` counts samples by reason; one with two reasons counts for both.
    """

    before: Release
    after: Release
    same: int
    reasons: dict[str, int]
    entries: tuple[LogEntry, ...]


def change_log(
    workspace: Workspace, before: str, after: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> ChangeLog:
    """Return why the samples of two releases differ.

    Raises as `release_diff.diff` does, and ``UsageError`` when ``after`` was made before the other.
    """
    releases = Releases(workspace)
    if releases.get(after).created_at < releases.get(before).created_at:
        raise UsageError(f"release {after} was made before {before}: name the earlier one first")
    found = diff(workspace, before, after, progress)
    with workspace.store.database.read() as session:
        entries = [_changed(session, one) for one in found.changed]
        entries += [_entry(session, item, "added") for item in found.added]
        entries += [_entry(session, item, "removed") for item in found.removed]
    counts = Counter(reason for entry in entries for reason in entry.reasons())
    names = [*(reason.value for reason in RevisionReason), BY_HAND]
    return ChangeLog(
        before=found.before,
        after=found.after,
        same=found.same,
        reasons={name: counts[name] for name in names if counts[name]},
        entries=tuple(entries),
    )


def _changed(session: Session, change: Change) -> LogEntry:
    asked = select(RevisionRow).where(RevisionRow.sample_id == change.sample_id).order_by(RevisionRow.number)
    rows = {row.id: row for row in session.scalars(asked)}
    first, last = rows[change.before.revision_id].number, rows[change.after.revision_id].number
    between = [row for row in rows.values() if first < row.number <= last]
    made = select(ProposalRow).where(ProposalRow.made.in_([row.id for row in between]))
    proposals = {row.made: row for row in session.scalars(made)}
    steps = [_step(row, rows[row.parent or row.id], proposals.get(row.id)) for row in between]
    entry = _entry(session, change.after, "changed")
    facts = {"fields": change.fields, "iou": change.iou, "queries": change.queries, "steps": tuple(steps)}
    return entry.model_copy(update=facts)


def _step(row: RevisionRow, parent: RevisionRow, proposal: ProposalRow | None) -> Step:
    before, after = (_body(one) for one in (parent, row))
    step = Step.parse({"number": row.number, "by": row.author, "at": row.created_at, "changes": changed(before, after)})
    return step if proposal is None else step.model_copy(update=_why(proposal))


def _entry(session: Session, item: ReleaseItem, kind: Literal["changed", "added", "removed"]) -> LogEntry:
    row = session.get_one(RevisionRow, item.revision_id)
    name = _body(row).get("source_name") or Image.parse(session.get_one(ImageRow, item.image_id).body).file_name
    steps: tuple[Step, ...] = ()
    if kind == "removed":
        dropped = select(ProposalRow).where(
            ProposalRow.sample_id == item.sample_id, ProposalRow.reason == RevisionReason.DROP.value
        )
        for one in session.scalars(dropped.where(ProposalRow.decision.is_not(None))):
            decision = Decision.parse(one.decision)
            if decision.accepted:
                step = Step(number=row.number, by=decision.by, at=decision.at)
                steps = (step.model_copy(update=_why(one)),)
    return LogEntry(sample_id=item.sample_id, name=str(name), kind=kind, steps=steps)


def _why(row: ProposalRow) -> dict[str, object]:
    proposal = Proposal.parse(row.body)
    return {"proposal": row.id, "reason": proposal.reason, "says": proposal.says, "made_by": proposal.made_by}


def _body(row: RevisionRow) -> dict[str, object]:
    found: dict[str, object] = json.loads(row.body)
    return found


def markdown(log: ChangeLog) -> str:
    """Return a change log as a page of Markdown, in which no text of a sample means anything to Markdown."""
    count = Counter(entry.kind for entry in log.entries)
    told = ", ".join(f"{count[kind]} {kind}" for kind in ("changed", "added", "removed"))
    lines = [f"# Changes from {_text(log.before.name)} to {_text(log.after.name)}", ""]
    lines += [f"{told}, {log.same} the same. Hashes: `{log.before.hash}`, `{log.after.hash}`.", ""]
    if log.reasons:
        lines += ["| reason | samples |", "|---|---|"]
        lines += [f"| {_text(reason)} | {number} |" for reason, number in log.reasons.items()] + [""]
    for kind, title in (("changed", "Changed"), ("removed", "Removed"), ("added", "Added")):
        some = [entry for entry in log.entries if entry.kind == kind]
        if some:
            lines += [f"## {title}", "", *(line for entry in some for line in _entry_lines(entry)), ""]
    return "\n".join(lines).rstrip() + "\n"


def _entry_lines(entry: LogEntry) -> Sequence[str]:
    facts = [", ".join(entry.fields)] if entry.fields else []
    facts += [f"IoU of the targets {entry.iou:.4f}"] if entry.iou is not None and entry.iou < 1 else []
    lines = [f"* **{_text(entry.name)}** (`{entry.sample_id}`){': ' if facts else ''}{_text('; '.join(facts))}"]
    before, after = entry.queries
    if before != after:
        lines.append(f"  * question: {_text(before or 'none')} → {_text(after or 'none')}")
    return [*lines, *(f"  * {_step_line(step, entry.kind)}" for step in entry.steps)]


def _step_line(step: Step, kind: str) -> str:
    what = "dropped" if kind == "removed" else f"r{step.number}"
    when = f"{step.at:%Y-%m-%d}"
    if step.reason is None:
        return _text(f"{what}, {BY_HAND}: {step.by}, {when}: {', '.join(step.changes) or 'nothing'}")
    told = f"{what}, {step.reason.value}: accepted by {step.by}, {when}; proposed by {step.made_by}: {step.says}"
    return _text(told)


def _text(text: str) -> str:
    return text.translate(_PLAIN)
