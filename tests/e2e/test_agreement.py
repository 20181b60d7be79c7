"""From handing a sample out to two people to adopting one's answer, as three people do it in their browsers."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SIZE, Server
from tests.e2e.desk import Desk, disc
from tests.e2e.test_team import HOSTILE, arrive, team  # noqa: F401  fixtures
from tests.e2e.test_team_tab import field
from whyseg.curation.queries import SampleFilter
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Query

QUESTION = "${alert(3)} <img src=x onerror=alert(4)> what keeps the rain off?"
LOADED = "() => [...document.querySelectorAll('#ws-agree-pictures img')].every(one => one.naturalWidth > 100)"
RADIUS = 30  # of the disc that the segmenter answers a click with
PLACES = {"ann": (150, 150), "abe": (180, 150)}


def answer(desk: Desk, x: float, y: float, kind: str) -> None:
    """Answer the open sample with a click, a type and a hop, and hand it in."""
    page = desk.page
    page.evaluate("() => { stage.use('smart'); stage.act('fit'); stage.takeFocus(true); }")
    page.mouse.move(*desk.place(5, 5))
    desk.ask(x, y)
    desk.keys("Enter")
    page.locator("#ws-type").get_by_label(kind).check()
    page.fill("#ws-hops textarea", "Umbrellas keep rain off.")
    desk.saved()
    with page.expect_response(lambda reply: reply.url.endswith("/submit")) as submitted:
        page.click("#ws-submit")
    assert submitted.value.ok


def section(page: Page, name: str) -> None:
    page.get_by_role("tab", name="Team").click()
    page.get_by_role("tab", name=name, exact=True).click()


@pytest.mark.slow
def test_a_sample_is_handed_out_answered_twice_compared_and_adopted(
    arrive: Callable[..., Desk],  # noqa: F811
    team: Server,  # noqa: F811
    tmp_path: Path,
) -> None:
    with Workspace.open(team.folder) as workspace:
        key = workspace.store.page(SampleFilter(text="plain")).samples[0].id
        head = workspace.store.head(key)
        asked = head.sample.model_copy(update={"query": Query(text=QUESTION)})
        workspace.store.revise(key, asked, parent=head.revision.id, author="rea")

    page = arrive("cur").page
    section(page, "Work")
    samples = page.locator("#ws-work-samples")
    expect(samples.get_by_role("checkbox")).to_have_count(3)
    page.fill(field(page, "ws-work-text"), "rain off")
    expect(samples.get_by_role("checkbox")).to_have_count(1)
    expect(samples).to_contain_text(QUESTION)  # as text
    expect(page.locator("#ws-work-people")).to_contain_text(HOSTILE)
    page.get_by_role("button", name="Hand out blind").click()
    told = page.locator(field(page, "ws-work-told"))
    expect(told).to_have_value("tick some samples first, or take all that match")
    samples.get_by_role("checkbox").check()
    for name in PLACES:
        page.locator("#ws-work-people").get_by_label(re.compile(rf"\b{name} \(annotator")).check()
    page.get_by_role("button", name="Hand out blind").click()
    expect(told).to_have_value("2 handed out to abe, ann")
    page.screenshot(path=tmp_path / "work.png", full_page=True)

    answers = {}
    for (name, place), kind in zip(PLACES.items(), ("Function / purpose", "Commonsense"), strict=True):
        desk = arrive(name)  # *next* begins with what is assigned
        answers[name] = desk.page.evaluate("desk.id")
        assert answers[name] != key
        assert desk.state()["query"]["text"] == QUESTION
        assert desk.state()["instances"] == []
        answer(desk, *place, kind)
    assert len(set(answers.values())) == 2

    section(page, "Agreement")
    first, second = (Mask.encode(disc(SIZE, *place, RADIUS)) for place in PLACES.values())
    # Two discs of radius 30 whose centres are 30 apart share 2r²·acos(1/2) - r²·√3/2 = 1105.5 of 2827.4 pixels each:
    # 1105.5 / (2 · 2827.4 - 1105.5) = 0.243.
    iou = first.iou(second)
    assert iou == pytest.approx(0.243, abs=0.005)
    expect(page.locator(field(page, "ws-agree-summary"))).to_have_value(
        "1 sample that two or more people answered · 1 pair of answers · 0 still open"
    )
    expect(page.locator("#ws-agree-figures")).to_contain_text(f"{iou:.3f}")
    items = page.locator("#ws-agree-items")
    expect(items).to_contain_text(QUESTION)
    items.get_by_text("rain off").locator("visible=true").first.click()
    matrix = page.locator("#ws-agree-iou")
    expect(matrix).to_contain_text(f"{iou:.3f}")
    expect(matrix.locator("[role=gridcell]", has_text=f"{iou:.3f}").first).to_have_attribute(
        "style", re.compile("background")
    )
    expect(page.locator("#ws-agree-pictures img")).to_have_count(2)
    page.wait_for_function(LOADED)
    page.screenshot(path=tmp_path / "agreement.png", full_page=True)

    page.locator("#ws-agree-answer input").click()
    page.get_by_role("option", name="abe", exact=True).click()
    page.get_by_role("button", name="Adopt", exact=True).click()
    expect(page.locator(field(page, "ws-agree-told"))).to_have_value("adopted: the sample is at r3, a draft")
    with Workspace.open(team.folder) as workspace:
        now = workspace.store.head(key)
        assert now.sample.target() == second
        assert now.revision.author == "cur"

    page.get_by_role("tab", name="Annotate").click()
    page.evaluate("key => desk.open(key)", answers["ann"])
    expect(page.locator(".ws-stage .ws-bar")).to_contain_text("another person's: you may look at it")
    expect(page.locator("#ws-submit")).to_be_disabled()
