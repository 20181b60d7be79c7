"""Coverage: the matrix of types and depths filters the list, takes targets, and tells annotators what is wanted."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.builders import instance
from tests.e2e.conftest import SIZE, Server, watch
from tests.e2e.desk import Desk, disc
from whyseg.schemas import Mask, Sample

COUNT = "#ws-count textarea, #ws-count input"


@pytest.mark.slow
def test_a_curator_asks_for_samples_and_annotators_see_it(
    desk: Desk, server: Server, make_desk: Callable[[], Desk], tmp_path: Path
) -> None:
    found = desk.api.get(f"/samples/{desk.new_sample(server.pictures['alone'])}").json()
    hops = ["first", "then", "so", "at last"]
    one = {
        "instances": [instance(1, Mask.encode(disc(SIZE, 300, 200, 60)), "umbrella").plain()],
        "hops": hops,
        "depth": 4,
    }
    record = Sample.parse({**found["sample"], **one, "query": {"text": "matrix?"}, "reasoning_type": "compositional"})
    body = {"edit": f"c-{record.id}", "parent": found["revision"], "sample": record.plain()}
    desk.api.put(f"/samples/{record.id}", json=body).raise_for_status()

    opened = make_desk()
    opened.load()
    page, wrong = opened.page, watch(opened.page)
    page.get_by_role("tab", name="Browse").click()
    cell = page.locator("tr[data-type=compositional] td[data-depth='4']")
    expect(cell.locator(".ws-cell")).to_have_text("0 + 1")
    cell.locator(".ws-target").click()
    page.get_by_label("Wanted at depth 4").fill("50")
    page.keyboard.press("Enter")
    expect(cell.locator(".ws-target")).to_have_text("/ 50")
    expect(cell).to_have_class("ws-short")
    assert "compositional = [0, 0, 0, 50]" in (server.folder / "whyseg.toml").read_text()
    page.screenshot(path=tmp_path / "coverage.png")

    cell.locator(".ws-cell").click()
    expect(page.locator(COUNT)).to_have_value("1 sample · page 1 of 1")
    expect(page.locator("#ws-filter-depth input")).to_have_value("4")
    expect(page.locator("#ws-gallery img")).to_have_count(1)

    annotator = make_desk()
    annotator.load(str(desk.new_sample(server.pictures["plain"])))
    wanted = annotator.page.locator(".ws-wanted")
    expect(wanted).to_have_text("Wanted: Compositional, depth 4: 0 of 50")
    wanted.click()
    expect(annotator.page.locator("#ws-type input:checked")).to_have_value("compositional")
    expect(annotator.page.get_by_label("Depth of the drafts")).to_have_value("4")
    annotator.page.locator("#ws-guide summary").click()
    expect(annotator.page.locator("#ws-guide")).to_contain_text("who is about to be served")
    annotator.page.screenshot(path=tmp_path / "wanted.png")
    annotator.page.evaluate("stage.act('help')")
    told = annotator.page.locator("dialog[open] .ws-guide")
    expect(told).to_have_count(8)  # four types and four depths
    told.nth(6).locator("summary").click()
    expect(told.nth(6)).to_contain_text("The teacher points at the girl in the second row.")
    annotator.page.screenshot(path=tmp_path / "help.png")
    annotator.page.keyboard.press("Escape")
    desk.api.put("/targets", json={"reasoning_type": "compositional", "depth": 4, "target": 0}).raise_for_status()
    assert wrong == []
