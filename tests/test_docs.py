"""The documents say what is there: every command, option, setting and relative link."""

import doctest
import importlib
import re
import shlex
from pathlib import Path

import pytest
import typer.main

from tests.test_layout import module_of, sources
from tests.written import DOCS, renewed
from whyseg.cli import app
from whyseg.curation.workspace import TEMPLATE, Settings

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "cli.md"
PAGES = sorted([ROOT / "README.md", ROOT / "GLOSSARY.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])


def commands() -> dict[str, list[str]]:
    """Return every command's name with its options."""
    found: dict[str, list[str]] = {}

    def walk(command: object, name: str) -> None:
        for key, sub in getattr(command, "commands", {}).items():
            walk(sub, f"{name} {key}")
        if not getattr(command, "commands", {}):
            parameters = getattr(command, "params", [])
            found[name] = [opt for p in parameters for opt in p.opts if opt.startswith("--") and opt != "--help"]

    walk(typer.main.get_command(app), "whyseg")
    return found


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_and_option_is_documented(command: str) -> None:
    sections = re.split(r"^## ", REFERENCE.read_text(), flags=re.MULTILINE)
    section = next((text for text in sections if text.startswith(f"`{command}`")), None)
    assert section, f"docs/cli.md has no section '## `{command}`'"
    missing = [option for option in commands()[command] if f"`{option}" not in section]
    assert missing == []


def test_no_document_names_a_command_that_does_not_exist() -> None:
    known = commands()
    groups = {name.rsplit(" ", 1)[0] for name in known}
    wrong = []
    for page in PAGES:
        for line in re.findall(r"(?:^|`)(whyseg [a-z][a-z ]+)", page.read_text(), flags=re.MULTILINE):
            words = line.split()
            if " ".join(words[:2]) not in known and " ".join(words[:2]) not in groups:
                wrong.append(f"{page.name}: {line}")
    assert wrong == []


def test_every_setting_is_documented() -> None:
    pages = (ROOT / "docs" / "store.md").read_text()
    for name in Settings.model_fields:
        assert f"{name} =" in TEMPLATE
        assert f"`{name} =" in pages


def test_relative_links_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def slug(heading: str) -> str:
    """Return the anchor that a heading gets: GitHub's rule."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def test_the_anchor_of_a_heading_is_githubs() -> None:
    assert slug("`whyseg train`") == "whyseg-train"
    assert slug("`template`: rules, no model") == "template-rules-no-model"
    assert slug("Type, depth & hops") == "type-depth--hops"


def test_links_to_headings_find_them() -> None:
    broken = []
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text()):
            text = (page.parent / target if target else page).read_text()
            text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
            if anchor not in map(slug, re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)):
                broken.append(f"{page.relative_to(ROOT)}: {target}#{anchor}")
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text()
    assert [page.name for page in sorted(DOCS.glob("*.md")) if f"({page.name})" not in index] == ["README.md"]


def test_what_is_written_by_code_is_up_to_date() -> None:
    for page in DOCS.glob("*.md"):
        assert page.read_text() == renewed(page.read_text()), f"{page.name}: python -m tests.written"


def test_commands_in_the_documents_have_the_options_that_they_are_given() -> None:
    known = commands()
    wrong = []
    for page in PAGES:
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL):
            if language not in ("", "sh"):
                continue
            for line in re.findall(
                r"^(?:accelerate launch -m )?(whyseg .+)$", block.replace("\\\n", " "), re.MULTILINE
            ):
                words = shlex.split(line, comments=True)
                name = next((n for k in (4, 3, 2) if (n := " ".join(words[:k])) in known), None)
                given = {word.split("=")[0] for word in words if word.startswith("--")}
                if name is None or given - set(known[name]):
                    wrong.append(f"{page.name}: {line}")
    assert wrong == []


WITH_EXAMPLES = sorted(module_of(path) for path in sources() if ">>> " in path.read_text())


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_in_docstrings_are_right(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_every_folder_of_the_readme_is_there() -> None:
    for folder in re.findall(r"^\| `([a-z/]+)/` \|", (ROOT / "README.md").read_text(), flags=re.MULTILINE):
        assert (ROOT / folder).is_dir(), folder
