"""Questions without a model: made of labels, geometry and a lexicon, and asked only if their answer is the target.

Every question is an expression (`meaning`). It is kept when its value over all labelled objects of the picture is
exactly the target, with a margin, and when no shorter one has that value, so that each step is needed. Truth is
relative to the labels: an object that nobody labelled does not count.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from whyseg.curation.drafting.base import RgbArray
from whyseg.curation.drafting.lexicon import Kind, lexicon
from whyseg.curation.drafting.meaning import (
    KEYS,
    RELATIONS,
    All,
    Either,
    Expression,
    Named,
    Pick,
    Related,
    Where,
    World,
    plain,
    shorter,
    steps,
)
from whyseg.curation.drafting.wording import hops, question
from whyseg.schemas import (
    Drafted,
    DraftProblem,
    QueryDraft,
    ReasoningType,
    Scene,
    canonical_json,
    content_hash,
)

VERSION = "1"  # of the questions' forms; a change makes drafts that differ
MOST_OBJECTS = 60  # in fuller pictures margins hardly hold, and the search grows
MOST_TRIED = 4000
MOST_VARIED = 200  # questions among which the most different ones are chosen
Expressions = Iterable[Expression]


class TemplateDrafter:
    """Drafts by rule; declines where no question of the type and depth has the target as its only answer."""

    name = "template"
    model = f"template-{VERSION}"
    looks = False

    def prompt_hash(self, reasoning_type: ReasoningType, depth: int, n: int) -> str:
        """Return the hash of the version and of what is asked."""
        return content_hash(["template", VERSION, reasoning_type.value, depth, n])

    def draft(self, image: RgbArray, scene: Scene, *, reasoning_type: ReasoningType, depth: int, n: int) -> Drafted:
        """Draft up to ``n`` questions; the picture's pixels are not looked at."""
        if problem := _hopeless(scene):
            return _declined(problem)
        world = World(scene)
        found = list(islice(_varied(questions(world, reasoning_type, depth)), n))
        if not found:
            more = "" if scene.others else "; the more of the picture is labelled, the more there is to ask"
            reason = f"no {reasoning_type.value} question of depth {depth} is certain to mean the target alone{more}"
            return _declined(reason)
        key = self.prompt_hash(reasoning_type, depth, n)
        drafts = [self._draft(world, expression, frame, reasoning_type, key) for frame, expression in enumerate(found)]
        return Drafted(drafts=tuple(drafts))

    def _draft(self, world: World, asked: Expression, frame: int, kind: ReasoningType, key: str) -> QueryDraft:
        text, is_sentence = question(asked, plural=len(world.target) > 1, frame=frame)
        return QueryDraft(
            text=text,
            is_sentence=is_sentence,
            reasoning_type=kind,
            depth=steps(asked),
            hops=hops(asked, world),
            label=", ".join(sorted({world.objects[k].label for k in world.target})),
            drafter=self.name,
            model=self.model,
            prompt_hash=key,
            meaning=canonical_json(plain(asked)),
        )


def _declined(reason: str) -> Drafted:
    return Drafted.without(DraftProblem(kind="declined", reason=reason))


def _hopeless(scene: Scene) -> str:
    if not scene.targets:
        return "the sample has no target"
    if any(not thing.label for thing in scene.objects):
        return "an object of the picture has no label"
    if len(scene.objects) > MOST_OBJECTS:
        return f"the picture has {len(scene.objects)} labelled objects, more than {MOST_OBJECTS}"
    return ""


def questions(world: World, kind: ReasoningType, depth: int) -> Iterator[Expression]:
    """Yield the expressions of a type and depth that mean exactly the target, need every step, and do not name it."""
    for expression in islice(_candidates(world, kind, depth), MOST_TRIED):
        if steps(expression) != depth or world.value(expression) != world.target or _repeats(expression):
            continue
        # "The thing in this picture" is no question, even where nothing but the target is labelled.
        if any(world.value(other) == world.target for other in shorter(expression) if other != All()):
            continue
        if not _leaks(world, expression):
            yield expression


def _leaks(world: World, expression: Expression) -> bool:
    text, _ = question(expression, plural=len(world.target) > 1, frame=0)
    return any(lexicon().named(text, world.objects[k].label) for k in world.target)


def _repeats(expression: Expression) -> bool:
    """Say whether a clue is looked up twice, or the same place sought twice, which is hardly one inference more."""
    looked = [word for word in _words(plain(expression)) if word in lexicon().clues or word in KEYS]
    return len(set(looked)) < len(looked)


def _words(data: list[Any]) -> Iterator[str]:
    for value in data[1:]:
        if isinstance(value, list):
            yield from _words(value)
        elif isinstance(value, str):
            yield value


def _candidates(world: World, kind: ReasoningType, depth: int) -> Iterator[Expression]:
    """Yield expressions to try for a type; some have another depth."""
    search = _Search(world)
    if kind is ReasoningType.COMPARATIVE_RELATIONAL:
        return search.comparing(depth)
    if kind is ReasoningType.COMPOSITIONAL:
        return search.composed(depth)
    return search.clued("purpose" if kind is ReasoningType.FUNCTION_PURPOSE else "knowledge", depth)


class _Search:
    """The grammar: which expressions a world offers to a type."""

    def __init__(self, world: World) -> None:
        self.world = world

    def clued(self, kind: Kind, depth: int) -> Iterator[Expression]:
        """One clue of a kind, then geometry."""
        first = self._holding([All()], [kind])
        if depth == 1:
            return iter(first)
        if depth == 2:
            return chain(_picks(first), self._related(first, self._named()))
        if depth == 3:
            return chain(self._related(first, self._geometric(1)), _picks(self._related(first, self._named())))
        return chain(self._related(first, self._geometric(2)), _picks(self._related(first, self._geometric(1))))

    def comparing(self, depth: int) -> Iterator[Expression]:
        """Geometry alone, over all objects or those of a noun."""
        nouns = self._holding([All()], ["noun"])
        everything: list[Expression] = [All()]
        if depth == 1:
            return chain(_picks(everything), self._related(everything, self._named()))
        if depth == 2:
            beside = self._related(everything, self._geometric(1))
            return chain(_picks(nouns), self._related(nouns, self._named()), beside)
        if depth == 3:
            beside = self._related(nouns, self._geometric(1))
            return chain(
                beside, self._related(everything, self._geometric(2)), _picks(self._related(nouns, self._named()))
            )
        return chain(self._related(nouns, self._geometric(2)), _picks(self._related(nouns, self._geometric(1))))

    def composed(self, depth: int) -> Iterator[Expression]:
        """Several clues: both, one but not the other, either, or one that finds the neighbour of another."""
        single = self._holding([All()], ["purpose", "knowledge"])
        both = [*self._holding(single, ["purpose", "knowledge"]), *self._lacking(single)]
        if depth == 1:
            return iter(())
        if depth == 2:
            return chain(both, self._either(), self._related([All()], self._clued_anchors()))
        if depth == 3:
            return chain(self._related(single, self._clued_anchors()), _picks(both), self._related(both, self._named()))
        return chain(
            self._related(both, self._clued_anchors()),
            _picks(self._related(single, self._clued_anchors())),
            self._related(single, [anchor for anchor in _picks(self._anchoring(["purpose", "knowledge"]))]),
        )

    def _holding(self, bases: Expressions, kinds: list[Kind]) -> list[Expression]:
        """Add a clue that is true of every target; clues of the same words twice make no question."""
        found: list[Expression] = []
        for base in bases:
            for clue in lexicon().clues.values():
                fresh = not (isinstance(base, Where) and base.clue >= clue.key)
                if clue.kind in kinds and fresh and self._true_of_all(clue.key, True):
                    found.append(Where(base, clue.key))
        return found

    def _lacking(self, bases: Expressions) -> list[Expression]:
        wanted = [c.key for c in lexicon().clues.values() if c.kind != "noun" and self._true_of_all(c.key, False)]
        some = [key for key in wanted if self._true_of_any(key)]
        return [Where(base, key, negated=True) for base in bases for key in some]

    def _either(self) -> list[Expression]:
        labels = {lexicon().canonical(self.world.objects[k].label) for k in self.world.target}
        usable = [c for c in lexicon().clues.values() if c.kind != "noun" and c.yes & labels and not labels <= c.yes]
        return [Either(a.key, b.key) for k, a in enumerate(usable) for b in usable[k + 1 :] if labels <= a.yes | b.yes]

    def _named(self) -> list[Expression]:
        known = lexicon()
        labels = sorted({thing.label for k, thing in enumerate(self.world.objects) if k not in self.world.target})
        targets = [self.world.objects[k].label for k in self.world.target]
        return [Named(label) for label in labels if not any(known.named(label, other) for other in targets)]

    def _geometric(self, depth: int) -> list[Expression]:
        """Anchors that are found by geometry: among all objects (1), or among those of a noun (2)."""
        return list(_picks([All()])) if depth == 1 else list(_picks(self._anchoring(["noun"])))

    def _clued_anchors(self) -> list[Expression]:
        return [at for at in self._anchoring(["purpose", "knowledge"]) if len(self.world.value(at) or ()) == 1]

    def _anchoring(self, kinds: list[Kind]) -> list[Expression]:
        clues = [clue.key for clue in lexicon().clues.values() if clue.kind in kinds and self._true_of_any(clue.key)]
        return [Where(All(), key) for key in clues]

    def _related(self, bases: Expressions, anchors: list[Expression]) -> Iterator[Expression]:
        usable = [
            anchor
            for anchor in anchors
            if len(found := self.world.value(anchor) or frozenset()) == 1 and not found & self.world.target
        ]
        for base in bases:
            if self.world.target <= (self.world.value(base) or frozenset()):
                for anchor in usable:
                    yield from (Related(base, relation, anchor) for relation in RELATIONS)

    def _true_of_all(self, key: str, wanted: bool) -> bool:
        clue, known = lexicon().clues[key], lexicon()
        return all(known.truth(clue, self.world.objects[k].label) is wanted for k in self.world.target)

    def _true_of_any(self, key: str) -> bool:
        clue, known = lexicon().clues[key], lexicon()
        return any(known.truth(clue, thing.label) for thing in self.world.objects)


def _picks(bases: Expressions) -> Iterator[Expression]:
    for base in bases:
        yield from (Pick(base, key) for key in KEYS)


def _varied(found: Iterator[Expression]) -> Iterator[Expression]:
    """Yield one expression of each outermost form before the second of any."""
    groups: dict[str, list[Expression]] = {}
    for expression in islice(found, MOST_VARIED):
        form = getattr(expression, "key", getattr(expression, "relation", getattr(expression, "clue", "")))
        groups.setdefault(form, []).append(expression)
    while groups:
        for form in list(groups):
            yield groups[form].pop(0)
            if not groups[form]:
                del groups[form]
