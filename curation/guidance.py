"""What each reasoning type and depth means, with examples: for the form, the help and ``docs/guidance.md``.

``python -m whyseg.curation.guidance`` prints that page.
"""

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from whyseg.schemas import ReasoningType, Record
from whyseg.schemas.sample import MAX_DEPTH

SOURCE = Path(__file__).with_name("guidance.toml")
INTRODUCTION = """\
# Reasoning types and depths

A sample has a *reasoning type*, what kind of step leads from the question to the target, and a *depth*, how many
steps it takes: the hops, written out one short sentence each. Both are for people to choose; drafts come with those
that were asked for. The page shows this text beside the form and in its help (`?`). It is made from
`curation/guidance.toml`.

A step counts when leaving it out would leave more than one answer. What merely describes the picture, or says the same
in other words, is none.
"""


class Example(Record):
    """A question about a picture told in words; ``why`` says what is wrong with one that should not be copied."""

    picture: str
    question: str
    answer: str
    hops: Annotated[tuple[str, ...], Field(min_length=1, max_length=MAX_DEPTH)]
    why: str = ""


class Guide(Record):
    """What a type or depth means: its name on the page, one line, some more, two good examples and a bad one."""

    name: str
    line: str
    meaning: str
    good: tuple[Example, Example]
    bad: Example


class Guidance(Record):
    """The guides of all types and depths."""

    types: dict[ReasoningType, Guide]
    depths: dict[int, Guide]


@cache
def guidance() -> Guidance:
    """Return the guides."""
    return Guidance.parse(tomllib.loads(SOURCE.read_text()))


def page() -> str:
    """Return the guides as ``docs/guidance.md``."""
    found = guidance()
    parts = [INTRODUCTION, "## Types\n"]
    for kind, guide in found.types.items():
        parts += [f"### {guide.name} (`{kind.value}`)\n", *_sections(guide)]
    parts.append("## Depths\n")
    for guide in found.depths.values():
        parts += [f"### {guide.name}\n", *_sections(guide)]
    return "\n".join(parts)


def _sections(guide: Guide) -> Iterator[str]:
    yield f"{guide.line} {guide.meaning}\n"
    for example in guide.good:
        yield _example("Good", example)
    yield _example("Not", guide.bad)


def _example(word: str, example: Example) -> str:
    hops = " → ".join(example.hops)
    lines = [f"* **{word}:** “{example.question}”", f"  {example.picture} *{example.answer}*: {hops}"]
    return "\n".join([*lines, f"  **Why:** {example.why}"] if example.why else lines) + "\n"


if __name__ == "__main__":
    print(page(), end="")
