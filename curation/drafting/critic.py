"""Rules that find faults in drafted questions: no model, no picture, only the words and what is labelled.

They look at wording and at labels with rough places. What they can and cannot find is measured; see the documentation.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from whyseg.curation.drafting.lexicon import lexicon
from whyseg.curation.drafting.words import root, stems
from whyseg.schemas import Critique, Fault, Mark, QueryDraft, ReasoningType, Scene, SceneObject

_STOP = frozenset(
    "a an the this that these those it its they them their he she his her one ones thing things something anything "
    "what which who whom whose where when how why is are was were be been being do does did have has had can could "
    "would will should may might must to of in on at by for with from into out up off over and or but so as if not "
    "no nor than then there here some any all each every picture image scene you your we our i people person "
    "somebody someone most".split()
)
_PLACED = re.compile(r"to the (?P<side>left|right) of (?P<anchor>[\w\s-]+)", re.IGNORECASE)
_SAME_STEP = 0.8  # share of a hop's words that one earlier hop holds already
_FEW_WORDS = 1  # so few telling words narrow nothing down


@dataclass(frozen=True)
class Cues:
    """Wording as patterns, and words with the labels that they may mean."""

    comparing: re.Pattern[str]
    purpose: re.Pattern[str]
    knowledge: re.Pattern[str]
    composing: re.Pattern[str]
    hidden: re.Pattern[str]
    worldwide: re.Pattern[str]
    people: frozenset[str]
    places: frozenset[str]
    groups: dict[str, frozenset[str]]
    acts: dict[str, frozenset[str]]


@cache
def cues() -> Cues:
    """Return the packaged wording."""
    data = tomllib.loads((files(__package__) / "cues.toml").read_text())
    patterns = {
        name: re.compile(rf"(?<!\w)(?:{'|'.join(data[name])})(?!\w)", re.IGNORECASE)
        for name in ("comparing", "purpose", "knowledge", "composing", "hidden", "worldwide")
    }
    return Cues(
        **patterns,
        people=frozenset(data["people"]["words"]),
        places=frozenset(data["places"]["words"]),
        groups={word: frozenset(labels) for word, labels in data["groups"].items()},
        acts={word: frozenset(labels) for word, labels in data["acts"].items()},
    )


def judge(draft: QueryDraft, scene: Scene) -> Critique:
    """Return the faults that the rules find in a draft."""
    checks = {
        Fault.LEAK: leak(draft, scene),
        Fault.AMBIGUOUS: ambiguity(draft, scene),
        Fault.UNANSWERABLE: unanswerable(draft),
        Fault.WRONG_TYPE: wrong_type(draft),
        Fault.WRONG_DEPTH: wrong_depth(draft),
    }
    return Critique(marks=tuple(Mark(fault=fault, reason=reason) for fault, reason in checks.items() if reason))


def leak(draft: QueryDraft, scene: Scene) -> str:
    """Say by which word the question names its answer; empty when it does not.

    A name that other objects share gives nothing away: "which of the cups" leaves the choice open.
    """
    known = lexicon()
    others = {known.canonical(thing.label) for thing in scene.others}
    labels = sorted({thing.label for thing in scene.targets if known.canonical(thing.label) not in others})
    for label in labels:
        if word := known.named(draft.text, label):
            return f"it says {word!r}, which is its answer"
    return ""


def ambiguity(draft: QueryDraft, scene: Scene) -> str:
    """Say what else the question may mean; empty when nothing else does by these rules."""
    text = cues().worldwide.sub("", draft.text)
    place = _PLACED.search(text)
    if place and not cues().comparing.search(text.replace(place[0], "")) and (rivals := _beside(place, scene)):
        return f"{_labels(rivals)} too stands {place[0].strip()!r}"
    if cues().comparing.search(text):
        return ""
    rivals = _rivals(text, scene)
    return f"it fits {_labels(rivals)} as well, and nothing in it tells them apart" if rivals else ""


def _labels(things: list[SceneObject]) -> str:
    return ", ".join(sorted({thing.label for thing in things}))


def _beside(place: re.Match[str], scene: Scene) -> list[SceneObject]:
    """Return the objects of the targets' labels that stand where the question says the target is."""
    known = lexicon()
    anchors = [thing for thing in scene.objects if known.named(place["anchor"], thing.label)]
    same = {known.canonical(thing.label) for thing in scene.targets}
    if len(anchors) != 1:
        return []
    sign, x = (-1 if place["side"].lower() == "left" else 1), anchors[0].centre[0]
    alike = [thing for thing in scene.others if known.canonical(thing.label) in same]
    return [thing for thing in alike if sign * (thing.centre[0] - x) > 0]


def _rivals(text: str, scene: Scene) -> list[SceneObject]:
    """Return what a question's words may mean beside the targets: by act, by noun, by the targets' own label."""
    known, words = lexicon(), set(stems(text))
    named = {known.canonical(thing.label) for thing in scene.targets}
    meant = [labels for word, labels in cues().acts.items() if word in words]
    telling = words - _STOP - set(cues().groups) - cues().people
    if len(telling) <= _FEW_WORDS:
        meant += [labels for word, labels in cues().groups.items() if word in words]
    if len(telling) <= _FEW_WORDS + 1 and words & cues().people:
        meant.append(frozenset(["person"]))
    if not cues().composing.search(text):
        meant.append(frozenset(named - {"person"}))
    fitting = frozenset[str]().union(*(labels for labels in meant if named & labels))
    return [thing for thing in scene.others if known.canonical(thing.label) in fitting]


def unanswerable(draft: QueryDraft) -> str:
    """Say what the question asks that no picture tells; empty when it asks no such thing."""
    found = cues().hidden.search(draft.text)
    return f"no picture tells {found[0]!r}" if found else ""


def wrong_type(draft: QueryDraft) -> str:
    """Say which type the wording is of, where it is clearly not the asked one; empty otherwise."""
    words = cues()
    comparing, purpose = words.comparing.search(draft.text), words.purpose.search(draft.text)
    knowledge, composing = words.knowledge.search(draft.text), words.composing.search(draft.text)
    match draft.reasoning_type:
        case ReasoningType.COMPARATIVE_RELATIONAL if not comparing:
            return "nothing in it compares or relates things"
        case ReasoningType.FUNCTION_PURPOSE if comparing and not purpose and _only_compares(draft.text):
            return f"{comparing[0]!r} compares; nothing in it asks for a purpose"
        case ReasoningType.FUNCTION_PURPOSE if knowledge and not purpose:
            return f"{knowledge[0]!r} asks for knowledge, not for a purpose"
        case ReasoningType.COMMONSENSE if comparing and not knowledge and _only_compares(draft.text):
            return f"{comparing[0]!r} compares; nothing in it needs knowledge"
        case ReasoningType.COMPOSITIONAL if not composing or len(draft.hops) == 1:
            return "it has one condition only"
    return ""


def _only_compares(text: str) -> bool:
    """Say whether nothing is left of a question once places, comparisons and the nouns of groups are taken away."""
    nouns = {word for clue in lexicon().clues.values() if clue.kind == "noun" for word in stems(clue.says)}
    left = set(stems(cues().comparing.sub(" ", text))) - _STOP - cues().places - cues().people - nouns
    return not left - set(cues().groups)


def wrong_depth(draft: QueryDraft) -> str:
    """Say why the steps are not as many as asked; empty when they are, and each adds something."""
    if len(draft.hops) != draft.depth:
        return f"{len(draft.hops)} steps were written, {draft.depth} asked for"
    asked = {root(word) for word in stems(draft.text)} - _STOP
    if len(asked) <= draft.depth - 2:
        return f"the question says too little for {draft.depth} steps"
    earlier: list[set[str]] = []
    for number, hop in enumerate(draft.hops, 1):
        told = {root(word) for word in stems(hop)} - _STOP
        if any(len(told & other) >= _SAME_STEP * len(told) for other in earlier):
            return f"step {number} repeats what was said: {hop!r}"
        earlier.append(told)
    return ""
