"""Score runs and their signals in the database, and the findings that they lead to."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from whyseg.curation.findings import Settled, finding_of, selected, settle_findings
from whyseg.curation.rankings import rank
from whyseg.curation.store import Store
from whyseg.curation.tables import FindingRow, SampleRow, ScoreRunRow, SignalsRow
from whyseg.curation.times import stamp
from whyseg.schemas import Finding, ScoreRun, Signals
from whyseg.schemas.errors import NotFound

MODEL_FINDINGS = ("too_easy", "never_solved", "ambiguous", "boundary", "wrong_target")
_COLUMNS = (
    "run", "sample_id", "revision_id", "mean_iou", "best_iou", "pass_rate", "agreement", "entropy", "vote_iou",
    "reprompted_iou",
)  # fmt: skip
_TOGETHER = 500  # keys that one question names


class SignalStore:
    """The runs of ``whyseg score`` over a store's samples; what is there is never changed."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def add_run(self, run: ScoreRun) -> None:
        """Keep a run; one that is known by its id stays as it is."""
        with self.store.database.write() as session:
            if session.get(ScoreRunRow, run.id) is None:
                at = stamp(run.created_at)
                session.add(ScoreRunRow(id=run.id, created_at=at, body=run.model_dump_json()))

    def runs(self) -> list[ScoreRun]:
        """Return all runs, newest first."""
        found = select(ScoreRunRow.body).order_by(ScoreRunRow.created_at.desc(), ScoreRunRow.id)
        with self.store.database.read() as session:
            return [ScoreRun.parse(body) for body in session.scalars(found)]

    def add(self, signals: Sequence[Signals]) -> None:
        """Keep signals; those that a run has of a sample already stay. Raises ``NotFound`` for an unknown run."""
        with self.store.database.write() as session:
            for run in dict.fromkeys(one.run for one in signals):
                if session.get(ScoreRunRow, run) is None:
                    raise NotFound("score run", run)
            for one in {(one.run, one.sample_id): one for one in signals}.values():
                if session.get(SignalsRow, (one.run, one.sample_id)) is None:
                    columns = {name: getattr(one, name) for name in _COLUMNS}
                    session.add(SignalsRow(**columns, body=one.model_dump_json()))
            rank(session, list({one.sample_id for one in signals}))

    def scored(self, run_id: str) -> set[str]:
        """Return the samples that a run has signals of."""
        with self.store.database.read() as session:
            return set(session.scalars(select(SignalsRow.sample_id).where(SignalsRow.run == run_id)))

    def signals(self, run_id: str, sample_ids: Sequence[str]) -> dict[str, Signals]:
        """Return what a run says of some samples, of those that it scored, in their order."""
        found: dict[str, Signals] = {}
        with self.store.database.read() as session:
            for some in _chunks(list(sample_ids)):
                asked = select(SignalsRow.body).where(SignalsRow.run == run_id, SignalsRow.sample_id.in_(some))
                found |= {one.sample_id: one for one in map(Signals.parse, session.scalars(asked))}
        return {key: found[key] for key in sample_ids if key in found}

    def newest(self, sample_id: str) -> tuple[ScoreRun, Signals] | None:
        """Return what the newest run says of a sample that it scored; None where none has."""
        found = (
            select(ScoreRunRow.body, SignalsRow.body)
            .join(SignalsRow, SignalsRow.run == ScoreRunRow.id)
            .where(SignalsRow.sample_id == sample_id)
            .order_by(ScoreRunRow.created_at.desc(), ScoreRunRow.id)
        )
        with self.store.database.read() as session:
            row = session.execute(found.limit(1)).one_or_none()
            return row and (ScoreRun.parse(row[0]), Signals.parse(row[1]))


def settle_model_findings(store: Store, sample_ids: Collection[str], findings: Iterable[Finding]) -> Settled:
    """Make the model's findings about some samples those that were found; about others they stay.

    One that somebody has set aside stays as it is while it is about the same revision: another run's figures are no
    news. Findings about samples that are not named are passed over.
    """
    by_sample: dict[str, list[Finding]] = {key: [] for key in sample_ids}
    for finding in findings:
        if finding.sample_id in by_sample:
            by_sample[finding.sample_id].append(finding)
    new = gone = 0
    for some in _chunks(list(by_sample)):
        with store.database.write() as session:
            judged = _judged(session, some)
            found = [_as_judged(one, judged) for key in some for one in by_sample[key]]
            settled = settle_findings(session, found, MODEL_FINDINGS, store.clock(), samples=some)
            new, gone = new + settled.new, gone + settled.gone
    return Settled(new=new, gone=gone)


def retire_model_findings(store: Store) -> int:
    """Mark the model's findings as gone that speak of another revision than the newest; return how many they were."""
    asked = select(FindingRow.body, SampleRow.head, SampleRow.id).join(SampleRow, SampleRow.id == FindingRow.sample_id)
    asked = asked.where(FindingRow.kind.in_(MODEL_FINDINGS), FindingRow.gone_at.is_(None))
    outdated: list[str] = []
    kept: list[Finding] = []
    with store.database.read() as session:
        for body, head, key in session.execute(asked):
            finding = Finding.parse(body)
            if finding.evidence.get("revision") == head:
                kept.append(finding)
            else:
                outdated.append(key)
    return settle_model_findings(store, set(outdated), kept).gone


def _judged(session: Session, sample_ids: Sequence[str]) -> dict[str, Finding]:
    """Return the model's findings about some samples that are set aside, by their ids."""
    about = FindingRow.sample_id.in_(sample_ids), FindingRow.kind.in_(MODEL_FINDINGS)
    known = [finding_of(row) for row in session.execute(selected().where(*about))]
    return {one.id: one for one in known if one.set_aside}


def _as_judged(finding: Finding, judged: dict[str, Finding]) -> Finding:
    known = judged.get(finding.id)
    if known is None or known.evidence.get("revision") != finding.evidence.get("revision"):
        return finding
    return known.model_copy(update={"set_aside": None, "gone_at": None})


def _chunks(keys: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(keys), _TOGETHER):
        yield keys[start : start + _TOGETHER]
