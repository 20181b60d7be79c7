"""Questions and hops in words: steps become a noun phrase that reads in one way only, and a question around it.

A noun phrase opens to the right: "the leftmost red thing to drink from above the star" is the leftmost of the red cups
above the star. What stands before the noun and before the first relation speaks of the noun; an extreme chooses last.
"""

from collections.abc import Sequence

import numpy as np

from whyseg.training.world.facts import (
    COLOUR_FACTS,
    EXTREMES,
    FARTHEST,
    HALF_FACTS,
    KIND_FACTS,
    PART_USES,
    PATTERN_FACTS,
    PURPOSES,
    REASONS,
    RELATIONS,
    SHARED,
)
from whyseg.training.world.scenes import Thing, one_of
from whyseg.training.world.steps import Step

_FACTS = {"colour": COLOUR_FACTS, "kind": KIND_FACTS, "pattern": PATTERN_FACTS, "half": HALF_FACTS}
_ALIKE = {"small": ("small", "little"), "large": ("large", "big")}
_FRAMES = {
    False: ("Which one is the {}?", "Where is the {}?", "Please find the {}.", "Show me the {}.", "Can you see the {}?",
            "I am looking for the {}.", "the {}"),
    True: ("Which ones are the {}?", "Where are the {}?", "Please find the {}.", "Show me the {}.",
           "Can you see the {}?", "I am looking for the {}.", "the {}"),
}  # fmt: skip


def question(rng: np.random.Generator, steps: tuple[Step, ...], kind: str, plural: bool) -> tuple[str, bool]:
    """Return the question that the steps answer, and whether it is a sentence.

    ``kind``: the thing whose part a last step ``part`` means; parts of several kinds have the same use.
    """
    first = steps[0]
    frames: tuple[str, ...]
    if len(steps) == 1 and first.what == "purpose" and rng.random() < 0.6:
        frames = ("What can one {}?", "What would you take to {}?", "What is there to {}?", "I need something to {}.")
        return one_of(rng, frames).format(one_of(rng, PURPOSES[first.value])), True
    if len(steps) == 1 and first.what in _FACTS and not first.told and rng.random() < 0.6:
        frames = ("What is {} here?", "Find whatever is {}.", "Is there anything {}?")
        return one_of(rng, frames).format(one_of(rng, _FACTS[first.what][first.value])), True
    frame = one_of(rng, _FRAMES[plural])
    return frame.format(phrase(rng, steps, kind, plural)), not frame.startswith("the")


def phrase(rng: np.random.Generator, steps: Sequence[Step], kind: str, plural: bool) -> str:
    """Return the steps as a noun phrase without its article."""
    last = steps[-1]
    if last.what == "part":
        return f"part that {one_of(rng, PART_USES[kind, last.value])} of the {phrase(rng, steps[:-1], '', False)}"
    if last.what == "extreme":
        if rng.random() < 0.3:
            among = phrase(rng, steps[:-1], "", True) if len(steps) > 1 else "things"
            return f"one {FARTHEST[last.value]} {among}"
        return f"{one_of(rng, EXTREMES[last.value])} {phrase(rng, steps[:-1], '', False) if steps[1:] else 'thing'}"
    start = len(steps)
    while start and steps[start - 1].keeps:
        start -= 1
    before, head, after = _described(rng, steps[start:], plural)
    if start:
        anchor = steps[start - 1]
        table = RELATIONS if anchor.what == "relation" else SHARED
        if anchor.what == "same":
            before.insert(0, "other")
        after.append(f"{one_of(rng, table[anchor.value])} {phrase(rng, steps[: start - 1], '', False)}")
    return " ".join([*before, head, *after])


def _described(rng: np.random.Generator, filters: Sequence[Step], plural: bool) -> tuple[list[str], str, list[str]]:
    """Return what stands before the noun, the noun, and what stands after it."""
    before, noun, after = list[str](), "thing", list[str]()
    for step in filters:
        if step.what == "purpose":
            after.insert(0, f"to {one_of(rng, PURPOSES[step.value])}")
        elif step.what == "not":
            after.append(f"that {'are' if plural else 'is'} not {step.value}")
        elif step.what == "either":
            after.append(f"that {'are' if plural else 'is'} either {step.value} or a {step.other}")
        elif not step.told:
            after.append(one_of(rng, _FACTS[step.what][step.value]))
        elif step.what == "kind":
            noun = step.value
        else:
            before.append(one_of(rng, _ALIKE.get(step.value, (step.value,))))
    if plural:
        noun += "es" if noun == "cross" else "s"
    return before, noun, after


def hop(step: Step, before: Sequence[Thing], found: Sequence[Thing]) -> str:
    """Return one step of the chain as a short sentence: what it goes by, and what it leads to."""
    centre = before[0].name if before else ""
    if step.what == "part":
        return f"Its {step.value}."
    if step.what == "purpose":
        said = f"A {step.value} serves for that"
        said = said.replace("A umbrella", "An umbrella")
    elif step.what == "extreme":
        said = {"largest": "The largest", "smallest": "The smallest"}.get(step.value, f"Farthest {_towards(step)}")
    elif step.what == "relation":
        said = {"nearest": "Nearest to", "left": "Left of", "right": "Right of"}.get(
            step.value, step.value.capitalize()
        )
        said += f" the {centre}"
    elif step.what == "same":
        said = f"Same {step.value} as the {centre}"
    elif step.what == "not":
        said = f"Not {step.value}"
    elif step.what == "either":
        said = f"{step.value} or {step.other}".capitalize()
    else:
        said = (step.value if step.told else REASONS[step.value]).capitalize()
    return f"{said}: {_names(found)}."


def _towards(step: Step) -> str:
    return {"top": "up", "bottom": "down"}.get(step.value, step.value)


def _names(things: Sequence[Thing]) -> str:
    if len(things) > 3:
        return f"{len(things)} things"
    return ", ".join(thing.name for thing in things) or "nothing"
