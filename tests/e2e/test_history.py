"""What happened to a sample, beside it: and what it was sent back for, with pins on the picture, while it is fixed."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import SIZE, Server
from tests.e2e.desk import Desk, disc
from tests.e2e.test_review import save

HOSTILE = "<img src=x onerror=alert(1)> ${alert(2)} {{alert(3)}}"
# The colour of a pin's ring beside a pixel of the picture: its radius is 9 CSS pixels.
RING = """([x, y]) => {
    const { view, canvases } = stage, [left, top] = view.toScreen([x, y]), canvas = canvases[2];
    const at = [(left + 9) * view.dpr, top * view.dpr].map(Math.round);
    return [...canvas.getContext("2d").getImageData(...at, 1, 1).data];
}"""


@pytest.fixture
def rejected(desk: Desk, server: Server) -> str:
    """A sample that was sent back with two remarks, one of them on a pixel."""
    sample = desk.new_sample(server.pictures["plain"])
    head = save(desk, sample, disc(SIZE, 200, 200, 80), "what holds the drink?", "first")
    remarks = [{"text": HOSTILE, "pin": [270.5, 200.5]}, {"text": "and the question is vague"}]
    body = {
        "revision": head["revision"],
        "decision": "reject",
        "reasons": ["boundary", "wrong_type"],
        "comments": remarks,
    }
    desk.api.post(f"/samples/{sample}/review", json=body).raise_for_status()
    return sample


def test_whoever_fixes_a_rejected_sample_sees_why_it_came_back_and_where(
    desk: Desk, make_desk: Callable[[], Desk], rejected: str, tmp_path: Path
) -> None:
    desk.open(rejected)
    strip = desk.page.locator(".ws-told")
    expect(strip).to_contain_text("Rejected by local: boundary, wrong type")
    expect(strip.locator("li")).to_have_text([HOSTILE, "and the question is vague"])
    desk.wait("stage.pins.length === 1 && !stage.marking")
    assert desk.page.evaluate(RING, [270.5, 200.5])[:3] == pytest.approx([255, 200, 87], abs=12)  # #ffc857
    desk.screenshot(tmp_path / "rejected.png")

    before = desk.page.evaluate("stage.view.toScreen([270.5, 200.5])")
    strip.get_by_role("button", name=HOSTILE).click()
    middle = desk.page.evaluate("[stage.view.width / 2, stage.view.height / 2]")
    assert desk.page.evaluate("stage.view.toScreen([270.5, 200.5])") == pytest.approx(middle, abs=0.5)
    assert before != pytest.approx(middle, abs=0.5)

    desk.page.fill("#ws-query textarea", "which vessel holds the drink?")
    desk.saved()
    expect(strip).to_be_visible()  # while it is fixed
    desk.page.evaluate("() => { desk.info.team = false; desk.found.next = null; }")  # it stays open
    desk.page.click("#ws-submit")
    expect(strip).to_be_hidden()
    other = make_desk()
    other.load(rejected)
    expect(other.page.locator(".ws-chip-state")).to_have_text("submitted")
    expect(other.page.locator(".ws-told")).to_be_hidden()
    assert other.page.evaluate("stage.pins.length") == 0


@pytest.mark.slow
def test_the_whole_story_stands_beside_the_sample(desk: Desk, rejected: str, tmp_path: Path) -> None:
    desk.open(rejected)
    desk.page.get_by_title("History of this sample").click()
    lines = desk.page.locator(".ws-aside .ws-history > li")
    expect(lines).to_have_count(4)
    told = [
        "rejected by local, .*: boundary, wrong type",
        "submitted by local",
        "r2 · local · ",
        "r1 · local .* · added",
    ]
    for place, text in enumerate(told):
        expect(lines.nth(place)).to_contain_text(re.compile(text))
    expect(lines.nth(0).locator("li")).to_have_text([HOSTILE, "and the question is vague"])
    expect(lines.nth(2)).to_contain_text("question, type, hops, depth, instance 1 added")
    for text in ("one", "two"):  # by itself, with what is saved meanwhile: saves in a row are one line
        desk.page.fill("#ws-query textarea", f"what keeps the drink warm {text}?")
        desk.saved()
    expect(lines).to_have_count(5)
    expect(lines.nth(0)).to_contain_text(re.compile(r"^r3–r4 · local · .*question$"))
    desk.screenshot(tmp_path / "history.png")
    desk.page.get_by_title("History of this sample").click()
    expect(desk.page.locator(".ws-aside")).to_be_hidden()
