"""Writes docs/presets.md: ``python -m tests.training.presets_page``. A test compares it with what the presets say."""

from pathlib import Path

from whyseg.training.explain import explain
from whyseg.training.presets import load_preset, preset_names

PAGE = Path(__file__).resolve().parents[2] / "docs" / "presets.md"
HEAD = """# Presets

What `whyseg train PRESET --explain` says of every shipped preset; [training.md](training.md) explains the words.
"""


def page() -> str:
    """Return the document."""
    parts = [f"## `{name}`\n\n```text\n{explain(load_preset(name))}\n```\n" for name in preset_names()]
    return "\n".join([HEAD, *parts])


if __name__ == "__main__":
    PAGE.write_text(page())
