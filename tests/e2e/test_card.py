"""A release's card as a browser shows it: Markdown made HTML with raw HTML let through, as strictly as no Hub would."""

import os
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard
from markdown_it import MarkdownIt
from playwright.sync_api import Browser

from tests.curation.test_card import HOSTILE
from tests.e2e.conftest import watch
from tests.released import with_queries
from whyseg.curation.card import card_files
from whyseg.curation.workspace import Settings

PAGE = """<!doctype html><meta charset="utf-8"><title>card</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 800px; margin: 2rem auto; }}
table {{ border-collapse: collapse; }} th, td {{ border: 1px solid #ddd; padding: .3rem .8rem; }}
code {{ background: #f0f0f0; overflow-wrap: anywhere; }} img {{ max-width: 100%; }}
</style>{body}"""


def write_page(files: dict[str, bytes], folder: Path) -> Path:
    """Write a card's files and a page that shows it."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    page = folder / "card.html"
    page.write_text(PAGE.format(body=markdown.render(DatasetCard(files["README.md"].decode()).text)))
    return page


@pytest.fixture
def card(tmp_path: Path) -> Path:
    with with_queries(tmp_path / "w", HOSTILE[:6], license=HOSTILE[2]) as workspace:
        workspace.settings = Settings(license="terms " + HOSTILE[5])
        return write_page(card_files(workspace, "v1"), tmp_path)


@pytest.mark.slow
def test_the_card_shows_its_tables_and_pictures_and_runs_nothing(browser: Browser, card: Path) -> None:
    page = browser.new_page(viewport={"width": 1000, "height": 1200})
    wrong = watch(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(card.as_uri())
    assert page.locator("table").count() == 10
    sizes = page.locator("img").evaluate_all("all => all.map(one => [one.naturalWidth, one.naturalHeight])")
    assert sizes == [[80, 60]] * 6
    cells = page.locator("table").evaluate_all("all => all.map(table => [...table.rows].map(row => row.cells.length))")
    assert all(len(set(rows)) == 1 for rows in cells)
    assert page.locator("a, script, h1 ~ h1, hr").count() == 0
    assert page.title() == "card"
    assert page.get_by_text(HOSTILE[2], exact=True).count() > 0
    assert all(url.startswith("file://") for url in asked)
    assert len(asked) == 7
    assert wrong == []
    if picture := os.environ.get("WHYSEG_CARD_PICTURE"):
        page.screenshot(path=picture, full_page=True)
    page.close()
