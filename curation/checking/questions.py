"""Checks of what was asked: the question, its type and hops, and what it says of the answer."""

import re
from collections.abc import Iterator

from whyseg.curation.checking.base import Remark
from whyseg.curation.checking.numbers import stated_count
from whyseg.curation.drafting.words import names
from whyseg.schemas import Instance, Sample

# What people and other tools call a target of which they say nothing.
UNTELLING = {"object", "target", "thing", "item", "region", "area", "instance", "mask", "answer", "foreground"}


def missing_type(sample: Sample) -> Iterator[Remark]:
    """There is a question, but no reasoning type."""
    if sample.query and sample.reasoning_type is None:
        yield Remark("the question has no reasoning type")


def missing_hops(sample: Sample) -> Iterator[Remark]:
    """There is a question, but no hops are written."""
    if sample.query and not sample.hops:
        depth = f", its depth is {sample.depth} without them" if sample.depth else ""
        yield Remark(f"the question has no hops{depth}")


def label_leak(sample: Sample) -> Iterator[Remark]:
    """The question, or a paraphrase of it, names a target by its label."""
    first: dict[str, Instance] = {}
    for instance in sample.instances:
        first.setdefault(instance.label.casefold(), instance)
    for number, text in enumerate(_texts(sample)):
        for label, instance in first.items():
            if label and label not in UNTELLING and _named(text, label):
                yield Remark(
                    f"{_which(number)} names its answer, “{instance.label}”: {text}",
                    f"{number} {label}",
                    {"label": instance.label, "instance": instance.id, "box": list(instance.mask.box_xyxy)},
                )


def count_mismatch(sample: Sample) -> Iterator[Remark]:
    """The question says how many things answer it, and there are more or fewer instances."""
    if not sample.instances:
        return  # not drawn yet, or a question about what is not there
    for number, text in enumerate(_texts(sample)):
        stated = stated_count(text)
        if stated and len(sample.instances) not in stated.counts:
            have = f"{len(sample.instances)} instance{'s' * (len(sample.instances) > 1)}"
            yield Remark(
                f"{_which(number)} says “{stated.phrase}”, and the sample has {have}",
                str(number),
                {"phrase": stated.phrase, "expected": sorted(stated.counts), "instances": len(sample.instances)},
            )


def _texts(sample: Sample) -> tuple[str, ...]:
    return (sample.query.text, *sample.query.alternates) if sample.query else ()


def _which(number: int) -> str:
    return f"paraphrase {number} of the question" if number else "the question"


def _named(text: str, label: str) -> bool:
    """Say whether a text holds a label: as English words in either number, or letter by letter in any language."""
    whole = rf"(?<!\w){re.escape(label.casefold())}(?!\w)"
    return names(text, label) or re.search(whole, text.casefold()) is not None
