"""Drafting for many samples: those that have masks and labels but no question; safe to stop and to repeat."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from whyseg.curation.drafting.accepting import model_of, suggestion_of
from whyseg.curation.drafting.base import Drafter, RgbArray
from whyseg.curation.drafting.critic import judge
from whyseg.curation.drafting.scenes import scene_of
from whyseg.curation.images import read_upright
from whyseg.curation.queries import SampleFilter
from whyseg.curation.times import now
from whyseg.curation.workspace import Workspace
from whyseg.schemas import (
    Critique,
    Drafted,
    DraftProblem,
    QueryDraft,
    ReasoningType,
    Sample,
    Scene,
    State,
    Usage,
)
from whyseg.schemas.errors import NotFound, RefusedImage

Judge = Callable[[QueryDraft, Scene, RgbArray], tuple[Critique, Usage]]
Ask = tuple[ReasoningType, int]
_PAGE = 500


def by_rules(draft: QueryDraft, scene: Scene, image: RgbArray) -> tuple[Critique, Usage]:
    """Judge by the rules alone."""
    return judge(draft, scene), Usage()


@dataclass
class DraftReport:
    """What a run did. ``drafted``, ``declined`` and ``skipped`` count samples, ``drafts`` and ``marked`` questions."""

    drafted: int = 0
    drafts: int = 0
    marked: int = 0
    declined: int = 0
    skipped: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)

    def plain(self) -> dict[str, Any]:
        """Return the report as plain data."""
        tokens = {"prompt": self.usage.prompt_tokens, "completion": self.usage.completion_tokens}
        counts = {name: getattr(self, name) for name in ("drafted", "drafts", "marked", "declined", "skipped")}
        return {**counts, "failed": self.failed, "tokens": tokens, "cost": round(self.usage.cost, 6)}


def draft_all(
    workspace: Workspace,
    drafter: Drafter,
    asks: Sequence[Ask],
    *,
    n: int = 3,
    limit: int | None = None,
    concurrency: int = 1,
    judged: Judge = by_rules,
    progress: Callable[[DraftReport], None] = lambda _: None,
) -> DraftReport:
    """Draft for at most ``limit`` samples and keep the drafts as suggestions, each with its critique.

    ``asks``: types and depths. A sample gets one of them, by its id, and where the drafter declines the next ones.
    Samples that this drafter and model drafted for before, with the same prompts, are skipped. What was drafted is
    stored as it comes; on an error or an interrupt, what is under way is waited for and stored, too. Raises
    ``DrafterError`` when no draft can be expected.
    """
    report, work = DraftReport(), _Work(workspace, drafter, asks, n, judged)
    waiting = islice(work.samples(report), limit)
    with ThreadPoolExecutor(concurrency) as pool:
        running: dict[Future[_Done], str] = {}
        try:
            while True:
                for sample in islice(waiting, concurrency - len(running)):
                    running[pool.submit(work.one, sample)] = sample.id
                if not running:
                    return report
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    work.keep(running.pop(future), future.result(), report)
                    progress(report)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            for future, sample_id in running.items():  # empty but after an error: what was answered was paid for
                if not future.cancelled() and future.exception() is None:
                    work.keep(sample_id, future.result(), report)


@dataclass(frozen=True)
class _Done:
    drafted: Drafted
    critiques: tuple[Critique, ...]
    usage: Usage


@dataclass(frozen=True)
class _Work:
    workspace: Workspace
    drafter: Drafter
    asks: Sequence[Ask]
    n: int
    judged: Judge

    def samples(self, report: DraftReport) -> Iterator[Sample]:
        """Yield the samples to draft for, in the order of adding; count those that have drafts."""
        store = self.workspace.store
        hashes = {self.drafter.prompt_hash(kind, depth, self.n) for kind, depth in self.asks}
        model, offset, total = model_of(self.drafter.name, self.drafter.model), 0, 1
        while offset < total:
            page = store.page(SampleFilter(), offset=offset, limit=_PAGE)
            offset, total = offset + _PAGE, page.total
            for summary in page.samples:
                if summary.query or not summary.instances or summary.state is State.ACCEPTED:
                    continue
                sample = store.head(summary.id).sample
                if not all(instance.mask.area and instance.label for instance in sample.instances):
                    continue
                kept = [old for old in store.suggestions(sample.id) if old.kind == "query" and old.model == model]
                if any(old.value.get("draft", {}).get("prompt_hash") in hashes for old in kept):
                    report.skipped += 1
                    continue
                yield sample

    def one(self, sample: Sample) -> _Done:
        """Draft for one sample; called from several threads."""
        scene = scene_of(self.workspace.store, sample)
        pixels = np.zeros((*sample.size, 3), np.uint8)
        if self.drafter.looks:
            try:
                pixels = read_upright(self.workspace.blobs.read(sample.image_id), sample.image_id).pixels
            except (NotFound, RefusedImage) as error:
                return _Done(Drafted.without(DraftProblem(kind="unanswered", reason=str(error))), (), Usage())
        usage = Usage()
        for kind, depth in self._in_turn(sample):
            done = self.drafter.draft(pixels, scene, reasoning_type=kind, depth=depth, n=self.n)
            usage = usage + done.usage
            if done.problem is None or done.problem.kind != "declined":
                break
        judged = [self.judged(draft, scene, pixels) for draft in done.drafts]
        usage = sum((spent for _, spent in judged), usage)
        return _Done(done, tuple(critique for critique, _ in judged), usage)

    def _in_turn(self, sample: Sample) -> Sequence[Ask]:
        first = int(hashlib.sha256(sample.id.encode()).hexdigest(), 16) % len(self.asks)
        return [*self.asks[first:], *self.asks[:first]]

    def keep(self, sample_id: str, done: _Done, report: DraftReport) -> None:
        """Store a sample's drafts and count what came of it."""
        report.usage = report.usage + done.usage
        problem = done.drafted.problem
        if problem is None:
            for draft, critique in zip(done.drafted.drafts, done.critiques, strict=True):
                self.workspace.store.add_suggestion(suggestion_of(sample_id, draft, critique, now()))
            report.drafted += 1
            report.drafts += len(done.drafted.drafts)
            report.marked += sum(bool(critique.marks) for critique in done.critiques)
        elif problem.kind == "declined":
            report.declined += 1
        else:
            report.failed.append({"sample_id": sample_id, "kind": problem.kind, "reason": problem.reason})
