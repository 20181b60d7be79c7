"""What a model says of samples, made up for tests."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from tests.builders import instance
from whyseg.curation.proposals import Proposals, propose
from whyseg.curation.signals import SignalStore
from whyseg.curation.store import Store
from whyseg.curation.times import now
from whyseg.schemas import AnswerCluster, Mask, Proposal, Query, RevisionReason, ScoreRun, Signals

FIGURES = {"mean_iou": 0.5, "best_iou": 0.9, "pass_rate": 0.5, "agreement": 0.75, "entropy": 0.8, "vote_iou": 0.4}


def add_signals(
    store: Store,
    sample_id: str,
    *,
    run: str = "r1",
    at: datetime | None = None,
    clusters: Sequence[tuple[Mask, str, int]] = (),
    figures: Mapping[str, float] = MappingProxyType({}),
) -> Signals:
    """Have a run of 8 answers score a sample as it stands; ``clusters``: mask, label and votes."""
    when = at or now()
    asked: dict[str, Any] = {"policy": "tiny", "segmenter": "fake", "samples": 8, "temperature": 1.0, "seed": 0}
    seen = [AnswerCluster(mask=mask, label=label, votes=votes, ratio=votes / 8, iou=0.1, chosen=number == 0)
            for number, (mask, label, votes) in enumerate(clusters)]  # fmt: skip
    signals = Signals.parse(
        {
            **{"run": run, "sample_id": sample_id, "revision_id": store.head(sample_id).revision.id, "answers": 8},
            **{"failed": 1, "empty": 0, "clusters": seen, "created_at": when, **FIGURES, **figures},
        }
    )
    kept = SignalStore(store)
    kept.add_run(ScoreRun.parse({"id": run, "created_at": when, **asked}))
    kept.add([signals])
    return signals


def add_proposal(
    store: Store,
    sample_id: str,
    mask: Mask | None = None,
    *,
    query: str | None = None,
    reason: str = "wrong_target",
    says: str = "most answers see another thing",
    label: str = "",
    score: float = 0.9,
    made_by: str = "tiny and fake",
) -> Proposal:
    """Propose a mask or a question for a sample as it stands, or with neither to drop it."""
    changes: dict[str, Any] = {"instances": [instance(1, mask, label)] if mask else None}
    changes["query"] = Query(text=query) if query else None
    revision = store.head(sample_id).revision
    found = propose(revision, RevisionReason(reason), says, **changes, made_by=made_by, score=score, at=now())
    Proposals(store).add([found])
    return found
