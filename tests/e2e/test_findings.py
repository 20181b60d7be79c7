"""Findings: what the checks find is one click from its sample, beside which it stands, and can be set aside."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.builders import instance
from tests.e2e.conftest import MARKS_SIZE, Server, watch
from tests.e2e.desk import Desk, disc
from tests.e2e.test_review import open_review
from whyseg.schemas import Mask, Sample

HOSTILE = "<img src=x onerror=alert(1)>${alert(2)}"
LOADED = "() => [...document.querySelectorAll('.ws-finding-cards img')].every(one => one.naturalWidth > 50)"


def bead(desk: Desk, server: Server, label: str) -> str:
    """Make a submitted sample of the marks with a mask of a few pixels at (1000, 700); its id."""
    found = desk.api.get(f"/samples/{desk.new_sample(server.pictures['marks'])}").json()
    changes = {
        "instances": [instance(1, Mask.encode(disc(MARKS_SIZE, 1000, 700, 1.5)), label).plain()],
        "query": {"text": f"what is as small as a bead? {found['sample']['id']}"},
        "reasoning_type": "commonsense", "hops": ["a bead is small"], "depth": 1,
    }  # fmt: skip
    record = Sample.parse({**found["sample"], **changes}).plain()
    body = {"edit": f"bead-{record['id']}", "parent": found["revision"], "sample": record}
    head = desk.api.put(f"/samples/{record['id']}", json=body).raise_for_status().json()
    desk.api.post(f"/samples/{record['id']}/submit", json={"parent": head["revision"]}).raise_for_status()
    return str(record["id"])


def test_a_finding_leads_to_its_sample_and_is_set_aside_there(
    desk: Desk, server: Server, make_desk: Callable[[], Desk], tmp_path: Path
) -> None:
    sample = bead(desk, server, HOSTILE)
    opened = make_desk()
    opened.load()
    page, wrong = opened.page, watch(opened.page)
    page.get_by_role("tab", name="Findings").click()
    page.get_by_role("button", name="Check now").click()
    expect(page.locator(".ws-findings-line .ws-note")).to_contain_text(
        re.compile(r"\d+ samples checked at .* for local")
    )
    page.get_by_label("Kind").select_option("tiny_mask")
    expect(page.get_by_label("Kind").locator("option:checked")).to_have_text("tiny mask (1)")
    card = page.locator(".ws-finding-cards li")
    expect(card).to_have_count(1)
    expect(card).to_contain_text(f"the mask of instance 1 ({HOSTILE}) has 9 pixels")
    page.wait_for_function(LOADED)
    page.screenshot(path=tmp_path / "findings.png")

    card.get_by_title("Open the sample at this finding").click()
    opened.wait(f"desk.id === '{sample}'")
    opened.ready()
    expect(page.locator(".ws-stage")).to_be_visible()
    beside = page.locator("#ws-noticed .ws-findings")
    expect(beside.locator("li.ws-active")).to_contain_text("tiny mask")
    opened.wait("stage.present.active === 1")
    middle = page.evaluate("stage.view.toPicture([stage.view.width / 2, stage.view.height / 2])")
    assert [round(value) for value in middle] == [1000, 700]  # centre of the mask, now in the middle
    page.screenshot(path=tmp_path / "beside.png")

    beside.get_by_role("button", name="Set aside…").click()
    page.get_by_label("Reason").fill(f"a bead {HOSTILE}")
    page.keyboard.press("Enter")
    expect(beside).to_contain_text(f"a bead {HOSTILE}")
    expect(beside.locator("header")).to_contain_text("none open, 1 set aside")
    page.get_by_role("tab", name="Findings").click()
    expect(page.locator(".ws-findings-line .ws-count")).to_have_text("Nothing is found here.")
    page.get_by_label("also set aside").check()
    expect(card).to_contain_text("set aside by local")
    card.get_by_role("button", name="Bring back").click()
    expect(card.get_by_role("button", name="Set aside…")).to_be_visible()
    assert wrong == []

    reviewer = open_review(make_desk, sample)
    listed = reviewer.page.locator(".ws-review-side .ws-findings")
    expect(listed).to_contain_text("tiny mask")
    listed.get_by_title("Show where").click()
    at = reviewer.page.evaluate("(({view}) => view.toPicture([view.width / 2, view.height / 2]))(review.compare.after)")
    assert [round(value) for value in at] == [1000, 700]
    reviewer.page.screenshot(path=tmp_path / "review.png")


@pytest.mark.slow
def test_a_second_page_follows_the_run_of_the_first(desk: Desk, make_desk: Callable[[], Desk]) -> None:
    pages = [make_desk().page for _ in range(2)]
    for page in pages:
        page.goto(f"{desk.url}/app/")
        page.get_by_role("tab", name="Findings").click()
        expect(page.get_by_role("button", name="Check now")).to_be_enabled()
    for page in pages:
        page.get_by_role("button", name="Check now").click()
    for page in pages:
        expect(page.locator(".ws-findings-line .ws-note")).to_contain_text("samples checked at")
        expect(page.get_by_role("button", name="Check now")).to_be_enabled()
        expect(page.locator(".ws-bar:visible")).to_have_count(0)
