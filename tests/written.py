"""The parts of the documents that are written by what they are about: ``python -m tests.written`` writes them anew.

A part stands between ``<!-- written: NAME -->`` and ``<!-- /written -->``; a test compares it with what there is.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from whyseg.training.explain import deviations
from whyseg.training.presets import load_preset, preset_names
from whyseg.training.rewards.compose import Reward

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PART = re.compile(r"(<!-- written: (\w+) -->\n).*?(<!-- /written -->)", re.DOTALL)
ACTION = re.compile(r'\{ id: "(\w+)", group: "(\w+)", label: "(.*?)", keys: \[(.*?)\](?:,| \})')


def departures() -> Iterator[str]:
    """Every departure of the shipped presets from their papers, once, with the presets that it concerns."""
    found: dict[str, list[str]] = {}
    for name in preset_names():
        for line in deviations(load_preset(name)):
            found.setdefault(line, []).append(name)
    yield "| departure | presets |"
    yield "|---|---|"
    for line, names in sorted(found.items(), key=lambda item: -len(item[1])):
        whose = "all" if len(names) == len(preset_names()) else ", ".join(f"`{name}`" for name in names)
        yield f"| {line.replace('|', chr(92) + '|')} | {whose} |"


def presets() -> Iterator[str]:
    """The shipped presets in a line each."""
    yield "| preset | after | policy | prompt | reward | answers a question | trained |"
    yield "|---|---|---|---|---|---|---|"
    for name in preset_names():
        one = load_preset(name)
        kept = f", {one.grpo.keep} learnt from" if one.grpo.keep else ""
        trained = "adapters" if one.lora else "all weights"
        yield (
            f"| `{name}` | {one.paper.title.split(':')[0]} | {one.policy.model} | `{one.policy.prompt}` "
            f"| at most {Reward(one).maximum:g} | {one.grpo.n}{kept} | {trained} |"
        )


def keys() -> Iterator[str]:
    """The keys of the annotation page, from the table that drives it."""
    yield "| | key | does |"
    yield "|---|---|---|"
    last = ""
    for _, group, label, names in ACTION.findall((ROOT / "ui" / "static" / "keys.js").read_text()):
        shown = ", ".join(f"`{re.sub(r'(?<![a-z])[a-z]$', upper, name)}`" for name in re.findall(r'"(.+?)"', names))
        yield f"| {group if group != last else ''} | {shown} | {label} |"
        last = group


PARTS: dict[str, Callable[[], Iterator[str]]] = {"departures": departures, "presets": presets, "keys": keys}


def upper(letter: re.Match[str]) -> str:
    """Return a lone letter as keyboards show it."""
    return letter[0].upper()


def renewed(text: str) -> str:
    """Return a document with its written parts as they should be."""
    return PART.sub(lambda found: found[1] + "\n".join(PARTS[found[2]]()) + "\n" + found[3], text)


if __name__ == "__main__":
    for page in DOCS.glob("*.md"):
        page.write_text(renewed(page.read_text()))
