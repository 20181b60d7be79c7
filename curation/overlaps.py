"""Blind answers compared: item by item, over all items, and with gold.

The original counts as an answer of its author where it had a target when it was first handed out, in that revision:
what was adopted later does not count as agreement. An answer whose question was reworded answers something else; it is
shown, and left out of every figure.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Literal

from sqlalchemy import func, select

from whyseg.curation.agreement import Estimate, MaskAgreement, Value, krippendorff_alpha, mask_agreement, mean
from whyseg.curation.assignments import ordinary_sample
from whyseg.curation.store import Store
from whyseg.curation.tables import AnswerRow, SampleRow
from whyseg.schemas import ReasoningType, Record, State
from whyseg.schemas.answer import AnswerKind

Order = Literal["added", "worst"]
_VALUES = ("query", "reasoning_type", "depth", "no_target")  # of an answer that was handed in
REMEMBERED = 20_000  # comparisons of some revisions, which never change


class Given(Record):
    """Somebody's answer: the original's author's (``original``), or a blind one.

    ``sample_id`` and ``revision_id`` are its own; what is still open has no revision yet. ``against``: the original's
    revision when it was handed out.
    """

    user: str
    original: bool = False
    sample_id: str
    revision_id: str | None
    against: str
    kind: AnswerKind | None = None
    query: str | None = None
    reasoning_type: ReasoningType | None = None
    depth: int | None = None
    no_target: bool = False
    reworded: bool = False

    @property
    def counts(self) -> bool:
        """Whether it can be compared."""
        return self.revision_id is not None and not self.reworded

    @property
    def label(self) -> str:
        """What it is called beside others: who made it, and whether that is the original."""
        return f"{self.user} (original)" if self.original else self.user


class Overlap(Record):
    """A sample and all answers to it; ``masks`` compares the targets of those that count."""

    sample_id: str
    image_id: str
    query: str | None
    answers: tuple[Given, ...]
    masks: MaskAgreement


class PairAgreement(Record):
    """How far two people agree, over the items that both answered."""

    people: tuple[str, str]
    iou: Estimate
    boundary_iou: Estimate


class GoldScore(Record):
    """How far somebody's answers agree with gold; ``right_type`` and ``right_depth`` are shares of 1."""

    user: str
    iou: Estimate
    boundary_iou: Estimate
    right_type: float
    right_depth: float
    count: int


class AgreementReport(Record):
    """Agreement over all items that two people or more answered.

    ``items``: how many those are; ``pairs``: pairs of answers; ``open``: answers that are still to come; ``reworded``:
    answers that were left out. Means are of the items' means; alphas are Krippendorff's, of type and no-target
    nominal, of depth ordinal. Intervals come from drawing items again.
    """

    items: int
    pairs: int
    open: int
    reworded: int
    iou: Estimate
    boundary_iou: Estimate
    type_alpha: Estimate
    depth_alpha: Estimate
    no_target_alpha: Estimate
    people: tuple[PairAgreement, ...]
    gold: tuple[GoldScore, ...]


class Overlaps:
    """The comparisons of a workspace's answers; what was compared once is remembered."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._revision = lru_cache(maxsize=REMEMBERED // 10)(store.revision)
        self._masks = lru_cache(maxsize=REMEMBERED)(self._compare)

    def count(self) -> int:
        """Return how many samples have answers."""
        with self.store.database.read() as session:
            return session.scalar(select(func.count(AnswerRow.original_id.distinct()))) or 0

    def get(self, sample_id: str) -> Overlap:
        """Return a sample with its answers; raises ``NotFound``, ``InvalidRecord`` where it is an answer itself."""
        with self.store.database.read() as session:
            row = ordinary_sample(session, sample_id)
            image_id, query = row.image_id, row.query
        answers = self._given(sample_id).get(sample_id, [])
        return self._overlap(sample_id, image_id, query, answers)

    def page(self, *, order: Order = "added", offset: int = 0, limit: int = 50) -> tuple[int, list[Overlap]]:
        """Return how many samples have answers, and some of them.

        ``order``: as they were first handed out, or first those whose masks agree least; those that cannot be compared
        yet come last then.
        """
        found = self.all()
        if order == "worst":
            found.sort(key=lambda one: (one.masks.mean_iou is None, one.masks.mean_iou or 0.0))
        return len(found), found[offset : offset + limit]

    def all(self, progress: Callable[[int, int], None] = lambda done, total: None) -> list[Overlap]:
        """Return all samples that have answers, as they were first handed out."""
        given = self._given()
        with self.store.database.read() as session:
            found = select(SampleRow.id, SampleRow.image_id, SampleRow.query)
            asked = found.where(SampleRow.id.in_(select(AnswerRow.original_id)))
            rows = {key: (image_id, query) for key, image_id, query in session.execute(asked)}
        overlaps = []
        for done, (key, answers) in enumerate(given.items(), 1):
            overlaps.append(self._overlap(key, *rows[key], answers))
            progress(done, len(given))
        return overlaps

    def report(self, progress: Callable[[int, int], None] = lambda done, total: None) -> AgreementReport:
        """Return the agreement over all items; ``progress`` gets how many items are compared, and their number."""
        found = self.all(progress)
        blind = [[one for one in overlap.answers if one.counts and one.kind != "gold"] for overlap in found]
        items = [answers for answers in blind if len(answers) > 1]
        masks = [self._masks(_key(answers)) for answers in items]
        every = [one for overlap in found for one in overlap.answers]
        return AgreementReport(
            items=len(items),
            pairs=sum(len(answers) * (len(answers) - 1) // 2 for answers in items),
            open=sum(one.revision_id is None for one in every),
            reworded=sum(one.reworded for one in every),
            iou=mean([one.mean_iou for one in masks if one.mean_iou is not None]),
            boundary_iou=mean([one.mean_boundary_iou for one in masks if one.mean_boundary_iou is not None]),
            type_alpha=krippendorff_alpha(_ratings(items, lambda one: one.reasoning_type), "nominal"),
            depth_alpha=krippendorff_alpha(_ratings(items, lambda one: one.depth), "ordinal"),
            no_target_alpha=krippendorff_alpha(_ratings(items, lambda one: str(one.no_target)), "nominal"),
            people=_pairs(masks),
            gold=self._gold([one for one in every if one.counts and one.kind == "gold"]),
        )

    def _given(self, sample_id: str | None = None) -> dict[str, list[Given]]:
        """Return the answers to a sample, or to all that have any, the original's first."""
        asked = select(AnswerRow, SampleRow).join(SampleRow, SampleRow.id == AnswerRow.sample_id)
        if sample_id is not None:
            asked = asked.where(AnswerRow.original_id == sample_id)
        found: dict[str, list[Given]] = {}
        with self.store.database.read() as session:
            rows = [(answer, row) for answer, row in session.execute(asked.order_by(SampleRow.added))]
        for answer, row in rows:
            if answer.original_id not in found:
                found[answer.original_id] = self._original(answer.original_id, answer.original_revision)
            done = row.state == State.SUBMITTED
            original = self._revision(answer.original_revision).sample.query
            given = Given.parse(
                {
                    **{name: getattr(answer, name) for name in ("user", "sample_id", "kind")},
                    "against": answer.original_revision,
                    "revision_id": row.head if done else None,
                    **({name: getattr(row, name) for name in _VALUES} if done else {}),
                    "reworded": done and row.query != (original and original.text),
                }
            )
            found[answer.original_id].append(given)
        return found

    def _original(self, sample_id: str, revision_id: str) -> list[Given]:
        """Return the original as its author's answer, where it has a target."""
        revision = self._revision(revision_id)
        sample = revision.sample
        if not sample.instances and not sample.no_target:
            return []
        values = {"query": sample.query and sample.query.text, "reasoning_type": sample.reasoning_type}
        keys = {"user": revision.author, "sample_id": sample_id, "revision_id": revision_id, "against": revision_id}
        rest = {"original": True, "depth": sample.depth, "no_target": sample.no_target}
        return [Given.parse({**keys, **values, **rest})]

    def _overlap(self, sample_id: str, image_id: str, query: str | None, answers: Sequence[Given]) -> Overlap:
        masks = self._masks(_key([one for one in answers if one.counts]))
        return Overlap(sample_id=sample_id, image_id=image_id, query=query, answers=tuple(answers), masks=masks)

    def _compare(self, key: tuple[tuple[str, str], ...]) -> MaskAgreement:
        return mask_agreement({label: self._revision(revision).sample.target() for label, revision in key})

    def _gold(self, answers: Sequence[Given]) -> tuple[GoldScore, ...]:
        scores = []
        for user in sorted({one.user for one in answers}):
            own = [one for one in answers if one.user == user]
            masks = [self._masks((("gold", one.against), ("answer", str(one.revision_id)))) for one in own]
            gold = [self._revision(one.against).sample for one in own]
            right = [
                (one.reasoning_type == sample.reasoning_type, one.depth == sample.depth)
                for one, sample in zip(own, gold, strict=True)
            ]
            scores.append(
                GoldScore(
                    user=user,
                    iou=mean([one.iou[0][1] for one in masks]),
                    boundary_iou=mean([one.boundary_iou[0][1] for one in masks]),
                    right_type=sum(kind for kind, _ in right) / len(own),
                    right_depth=sum(depth for _, depth in right) / len(own),
                    count=len(own),
                )
            )
        return tuple(scores)


def _key(answers: Sequence[Given]) -> tuple[tuple[str, str], ...]:
    return tuple((one.label, str(one.revision_id)) for one in answers)


def _ratings(items: Sequence[Sequence[Given]], value: Callable[[Given], Value | None]) -> list[list[Value | None]]:
    """Return what each person says of each item, None where they say nothing."""
    people = sorted({one.label for answers in items for one in answers})
    said = [{one.label: value(one) for one in answers} for answers in items]
    return [[answers.get(person) for answers in said] for person in people]


def _pairs(masks: Sequence[MaskAgreement]) -> tuple[PairAgreement, ...]:
    """Return the agreement of all pairs of people who answered an item together, by name."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for one in masks:
        for i, j in combinations(range(len(one.people)), 2):
            first, second = sorted((one.people[i], one.people[j]))
            found.setdefault((first, second), []).append((one.iou[i][j], one.boundary_iou[i][j]))
    return tuple(
        PairAgreement(
            people=people, iou=mean([iou for iou, _ in values]), boundary_iou=mean([edge for _, edge in values])
        )
        for people, values in sorted(found.items())
    )
