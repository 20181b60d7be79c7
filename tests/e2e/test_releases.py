"""The releases: frozen from the page, compared, and shown with the masks as they were and as they are."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.builders import instance
from tests.e2e.conftest import MARKS_SIZE, SIZE, Server, watch
from tests.e2e.desk import Desk, disc
from whyseg.schemas import Mask

SUMMARY = "#ws-release-summary textarea, #ws-release-summary input"
TOLD = "#ws-release-told textarea, #ws-release-told input"
HOSTILE = "${alert(1)} <img src=x onerror=alert(2)> which is new?"
LOADED = "() => [...document.querySelectorAll('#ws-release-pictures img')].every(one => one.naturalWidth > 100)"


def change(desk: Desk, sample: str, edit: str, query: str, mask: Mask) -> str:
    """Give a sample a question and a mask; the revision."""
    found = desk.api.get(f"/samples/{sample}").raise_for_status().json()
    text = {"query": {"text": query, "is_sentence": True, "alternates": []}}
    changed = {**found["sample"], **text, "instances": [instance(1, mask, "thing").plain()]}
    body = {"edit": edit, "parent": found["revision"], "sample": changed}
    return str(desk.api.put(f"/samples/{sample}", json=body).raise_for_status().json()["revision"])


def freeze(page: Page, name: str) -> None:
    page.fill("#ws-release-name textarea, #ws-release-name input", name)
    page.get_by_label("all samples, drafts too").check()
    page.get_by_role("button", name="Create release").click()
    expect(page.locator(TOLD)).to_have_value(re.compile(rf"^{name}: \d+ samples of \d+ images are frozen$"))


@pytest.mark.slow
def test_two_releases_are_made_and_compared_with_pictures(
    desk: Desk, server: Server, make_desk: Callable[[], Desk]
) -> None:
    first = desk.new_sample(server.pictures["plain"])
    before = change(desk, first, "r1", "what lies in the corner?", Mask.encode(disc(SIZE, 150, 150, 80)))
    opened = make_desk()
    wrong = watch(opened.page)
    opened.load()
    page = opened.page
    page.get_by_role("tab", name="Releases").click()
    expect(page.locator(SUMMARY)).to_have_value("two releases can be compared")
    freeze(page, "one")
    after = change(desk, first, "r2", "what lies in the other corner?", Mask.encode(disc(SIZE, 230, 170, 80)))
    second = desk.new_sample(server.pictures["marks"])
    change(desk, second, "r3", HOSTILE, Mask.encode(disc(MARKS_SIZE, 600, 450, 200)))
    freeze(page, "two")

    expect(page.locator(SUMMARY)).to_have_value(re.compile(r"^1 changed · 1 added · 0 removed · \d+ the same · page 1"))
    pictures = page.locator("#ws-release-pictures img")
    expect(pictures).to_have_count(2)
    for place, revision in enumerate((before, after)):
        expect(pictures.nth(place)).to_have_attribute("src", re.compile(f"/revisions/{re.escape(revision)}/picture"))
    page.wait_for_function(LOADED)
    table = page.locator("#ws-release-rows")
    expect(table).to_contain_text("what lies in the other corner?")
    expect(table).to_contain_text("query, instances")
    expect(page.locator("#ws-releases")).to_contain_text("one")

    page.locator("#ws-release-kind").get_by_label("added (1)").check()
    expect(pictures).to_have_count(1)
    expect(table).to_contain_text(HOSTILE)
    page.wait_for_function(LOADED)

    page.locator("#ws-release-before input").click()
    page.get_by_role("option", name="two").click()
    expect(page.locator(SUMMARY)).to_have_value(re.compile(r"^0 changed · 0 added · 0 removed"))
    page.fill("#ws-release-name textarea, #ws-release-name input", "two")
    page.get_by_role("button", name="Create release").click()
    expect(page.locator(TOLD)).to_have_value(re.compile("release two exists already"))
    assert wrong == []
