"""The whole loop of a team: drafted, changed, submitted, rejected with a pin, fixed, accepted; and all of it told."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import VIEWPORT, watch
from tests.e2e.desk import Desk
from tests.e2e.test_review import click_pixel
from tests.e2e.test_team import sign_in
from tests.ui.process import ServerProcess
from tests.ui.team import PASSWORD, add_people
from whyseg.client import Client
from whyseg.curation.demo import PHOTOS, bring
from whyseg.curation.workspace import Workspace

pytestmark = pytest.mark.slow
COFFEE, OTHER = PHOTOS[:2]  # a cup of coffee with a spoon on its saucer, 600×400; and one for the others to be at
BOX = (290, 240), (470, 330)  # pixels (x, y) around the spoon
HANDLE = (383, 222)  # where the reviewer pins the remark
REMARK = "the handle is cut off <b>here</b>"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[ServerProcess]:
    """A team's server on real photographs; GrabCut answers clicks."""
    with Workspace.create(tmp_path / "team") as workspace:
        for photo in (COFFEE, OTHER):
            path = photo.path()
            if path is None:
                pytest.skip("the photographs come with scikit-image, which is not installed")
            bring(workspace, photo, path)
        add_people(workspace)
    with ServerProcess(tmp_path / "team", "--team") as server:
        yield server


@pytest.fixture
def arrive(browser: Browser, served: ServerProcess) -> Iterator[Callable[[str], Desk]]:
    """Has somebody sign in, in a browser of their own."""
    made: list[tuple[Desk, list[str]]] = []

    def make(name: str) -> Desk:
        page = browser.new_context(viewport=VIEWPORT).new_page()  # type: ignore[arg-type]
        made.append((Desk(page, served.url), watch(page)))
        page.goto(f"{served.url}/app/")
        sign_in(page, name)
        made[-1][0].attach()
        return made[-1][0]

    yield make
    for desk, wrong in made:
        desk.close()
        desk.page.context.close()
        assert wrong == []


def draft_and_submit(ann: Desk) -> str:
    """The annotator marks the spoon, has questions drafted, changes one, and hands it in; the question."""
    page = ann.page
    before = page.evaluate("stage.prompter.timings.length")
    ann.drag(*BOX)
    ann.wait(f"stage.prompter.timings.length > {before} && !stage.prompter.pending")
    page.get_by_label("Label of instance 1").fill("spoon")
    page.locator("#ws-type label", has_text="Function").click()
    page.get_by_label("Depth of the drafts").select_option("1")
    page.get_by_role("button", name="Draft questions").click()
    expect(page.locator(".ws-draft-list .ws-fine").first).to_have_text("no complaint")
    drafted = str(page.locator(".ws-draft-list p").first.text_content())
    page.get_by_role("button", name="Use").first.click()
    expect(page.locator("#ws-query textarea")).to_have_value(drafted)
    question = drafted.replace("?", ", when it is served like this?")
    page.locator("#ws-query textarea").fill(question)
    page.locator("#ws-submit").click()
    expect(page.locator(".ws-chip-state")).to_have_text("submitted")
    return question


def in_review(reviewer: Desk, number: int | None = None) -> Page:
    """The reviewer turns to the review page and waits until the sample is drawn there."""
    page = reviewer.page
    page.get_by_role("tab", name="Review").click()
    page.evaluate("window.review = window.page.reviewing()")
    reviewer.wait("review.found && review.compare.newer === review.found.sample && !review.compare.drawing")
    if number is not None:
        reviewer.wait(f"review.found.number === {number}")
    return page


def reject(rea: Desk) -> None:
    """The reviewer pins a remark to the handle and rejects."""
    page = in_review(rea)
    page.keyboard.press("4")  # the boundary
    click_pixel(page, HANDLE[0] + 0.5, HANDLE[1] + 0.5)
    expect(page.get_by_label("Remark", exact=True)).to_be_focused()
    page.keyboard.type(REMARK)
    page.keyboard.press("Enter")
    page.keyboard.press("n")
    expect(page.locator(".ws-review .ws-bar")).to_contain_text("Rejected")


def fix_and_submit(ann: Desk) -> None:
    """The annotator sees what was said and where, paints the handle, and hands it in again."""
    page = ann.page
    page.reload()
    ann.attach()
    expect(page.locator(".ws-told")).to_contain_text("Rejected by rea: boundary")
    expect(page.locator(".ws-told li")).to_have_text(REMARK)
    (pin,) = page.evaluate("stage.pins")
    assert (pin["x"], pin["y"]) == pytest.approx((HANDLE[0] + 0.5, HANDLE[1] + 0.5), abs=1)
    page.evaluate("stage.activate(1)")
    ann.keys("b")
    ann.drag((372, 246), HANDLE, (392, 196))
    ann.wait("desk.saver.entries.size === 0")
    page.locator("#ws-submit").click()
    expect(page.locator(".ws-chip-state")).to_have_text("submitted")


def accept(rea: Desk, folder: Path) -> None:
    """The reviewer sees what was said before and what has changed, and accepts."""
    page = rea.page
    page.reload()
    rea.attach()
    in_review(rea)
    expect(page.locator(".ws-earlier")).to_contain_text(f"rea: {REMARK}")
    page.keyboard.press("x")
    rea.wait("!review.compare.drawing && review.compare.difference")
    page.screenshot(path=folder / "5-difference.png")
    same, added, removed = page.evaluate("review.compare.after.entries.map(one => one.layer.w)")
    assert same > 0
    assert added > 0  # the handle
    assert removed == 0
    page.keyboard.press("y")
    expect(page.locator(".ws-review .ws-bar")).to_contain_text("Accepted and locked")


def test_what_is_rejected_is_fixed_and_accepted_and_everything_is_told(
    arrive: Callable[[str], Desk], served: ServerProcess, tmp_path: Path
) -> None:
    ann, rea = arrive("ann"), arrive("rea")
    sample = ann.page.evaluate("desk.id")
    question = draft_and_submit(ann)
    ann.page.screenshot(path=tmp_path / "1-submitted.png")
    reject(rea)
    rea.page.screenshot(path=tmp_path / "2-rejected.png")
    ann.page.reload()
    ann.attach()
    expect(ann.page.locator(".ws-told")).to_be_visible()
    ann.page.screenshot(path=tmp_path / "3-sent-back.png")
    fix_and_submit(ann)
    ann.page.screenshot(path=tmp_path / "4-fixed.png")
    accept(rea, tmp_path)

    # The line of time, for the annotator: newest first.
    page = ann.page
    page.reload()
    ann.attach()
    page.get_by_title("History of this sample").click()
    lines = page.locator(".ws-aside .ws-history > li")
    expect(lines.last).to_contain_text("added")
    told = [text.replace("\n", " ") for text in lines.all_inner_texts()]
    page.screenshot(path=tmp_path / "6-history.png")
    expected = [
        "accepted by rea", "submitted by ann", r"r\d+.* · ann · ", "rejected by rea, .*: boundary", "submitted by ann",
        r"r2–r\d+ · ann · .*question", "r1 · demo · .* · added",
    ]  # fmt: skip
    assert len(told) == len(expected), told
    assert all(re.search(want, text) for want, text in zip(expected, told, strict=True)), told
    assert REMARK in told[3]

    # The versions beside each other, chosen from the history in the review.
    page = rea.page
    page.get_by_role("button", name="Show it again").click()
    rea.wait("review.found?.state === 'accepted' && review.compare.newer === review.found.sample")
    page.locator(".ws-review .ws-history button:not([disabled])").last.click()  # r1
    rea.wait("review.compare.older?.instances.length === 0")
    expect(page.locator(".ws-pane-title").first).to_have_text("r1 by demo")
    expect(page.locator(".ws-question .ws-differs").first).to_contain_text(question)
    page.screenshot(path=tmp_path / "7-versions.png")

    # The audit log, for the curator.
    page = arrive("cur").page
    page.get_by_role("tab", name="Team").click()
    page.get_by_role("tab", name="Audit").click()
    page.fill("#ws-audit-subject textarea, #ws-audit-subject input", sample)
    page.keyboard.press("Enter")
    count = page.locator("#ws-audit-count textarea, #ws-audit-count input")
    expect(count).to_have_value(re.compile("the chain holds here"))
    expect(page.locator("#ws-audit-table")).to_contain_text("accept")
    page.screenshot(path=tmp_path / "8-audit.png")
    check_the_log(served.url, sample, question)


def check_the_log(url: str, sample: str, question: str) -> None:
    """What the routes tell: who did what, in which order, and where the question came from."""
    with Client(url) as client:
        client.login("cur", PASSWORD)
        found = client.audit(subject=sample, limit=100)
        assert found["verified"]
        done: list[tuple[Any, Any]] = []
        for entry in reversed(found["entries"]):
            one = (entry["actor"], entry["action"])
            if not done or done[-1] != one:  # saves in a row are one step of the story
                done.append(one)
        assert done == [
            ("demo", "add_sample"), ("ann", "revise"), ("ann", "submit"), ("rea", "reject"), ("ann", "revise"),
            ("ann", "submit"), ("rea", "accept"),
        ]  # fmt: skip
        opened = client.sample(sample)
        assert opened.state == "accepted"
        query = opened.sample.query
        assert query
        assert (query.text, query.origin.kind) == (question, "model")
        assert query.origin.edit_distance
        (remark,) = client.reviews(sample)[-1].comments
        assert remark.text == REMARK
