"""The review page: rejected with a pinned remark, fixed, accepted, and everything of it in the history."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.builders import instance
from tests.e2e.conftest import SIZE, Server, watch
from tests.e2e.desk import Desk, disc
from whyseg.schemas import Mask, Sample

WRONG, RIGHT = disc(SIZE, 200, 200, 80), disc(SIZE, 260, 220, 70)
HOSTILE = "<img src=x onerror=alert(1)> ${alert(2)}"


def save(desk: Desk, sample: str, pixels: np.ndarray[Any, Any], query: str, edit: str) -> Any:
    """Save a complete sample and hand it in."""
    found = desk.api.get(f"/samples/{sample}").json()
    changes = {
        "instances": [instance(1, Mask.encode(pixels), "cup").plain()], "query": {"text": query},
        "reasoning_type": "commonsense", "hops": ["a cup holds drinks"], "depth": 1,
    }  # fmt: skip
    record = Sample.parse({**found["sample"], **changes}).plain()
    body = {"edit": f"{sample}-{edit}", "parent": found["revision"], "sample": record}
    head = desk.api.put(f"/samples/{sample}", json=body).raise_for_status().json()
    return desk.api.post(f"/samples/{sample}/submit", json={"parent": head["revision"]}).raise_for_status().json()


@pytest.fixture
def waiting(desk: Desk, server: Server) -> list[str]:
    """Two samples that wait for review."""
    ids = [desk.new_sample(server.pictures["plain"]) for _ in range(2)]
    for sample in ids:
        save(desk, sample, WRONG, f"review {sample}", "first")
    return ids


def open_review(make_desk: Callable[[], Desk], sample: str) -> Desk:
    reviewer = make_desk()
    reviewer.load(sample)
    page = reviewer.page
    page.get_by_role("tab", name="Review").click()
    page.get_by_label("Text", exact=True).fill(sample)
    page.keyboard.press("Enter")
    page.evaluate("window.review = window.page.reviewing()")
    reviewer.wait(f"review.queue.ids.join() === '{sample}' && review.compare.newer?.id === '{sample}'")
    reviewer.wait("review.compare.newer === review.found.sample && !review.compare.drawing")
    return reviewer


def click_pixel(page: Page, x: float, y: float) -> None:
    left, top = page.evaluate("""([x, y]) => {
        const { view, surface } = review.compare.after, [left, top] = view.toScreen([x, y]);
        const box = surface.getBoundingClientRect();
        return [box.left + view.shift[0] + left, box.top + view.shift[1] + top];
    }""", [x, y])  # fmt: skip
    page.mouse.click(left, top)


def decided(reviewer: Desk, text: str) -> None:
    expect(reviewer.page.locator(".ws-review .ws-bar")).to_contain_text(text)


def test_a_rejected_sample_is_fixed_accepted_and_remembered(
    desk: Desk, make_desk: Callable[[], Desk], waiting: list[str], tmp_path: Path
) -> None:
    sample = waiting[0]
    reviewer = open_review(make_desk, sample)
    page = reviewer.page
    wrong = watch(page)
    page.keyboard.press("n")
    decided(reviewer, "at least one reason")
    page.keyboard.press("4")
    click_pixel(page, 270.5, 200.5)
    expect(page.get_by_label("Remark", exact=True)).to_be_focused()
    page.keyboard.type(HOSTILE)
    page.keyboard.press("Enter")
    page.keyboard.press("n")
    decided(reviewer, "Rejected")
    [review] = desk.api.get(f"/samples/{sample}/reviews").json()["reviews"]
    assert (review["decision"], review["reasons"]) == ("reject", ["boundary"])
    assert review["comments"][0]["text"] == HOSTILE
    assert review["comments"][0]["pin"] == pytest.approx([270.5, 200.5], abs=1)
    assert desk.api.get(f"/samples/{sample}").json()["state"] == "rejected"

    save(desk, sample, RIGHT, f"review {sample}, again", "second")
    page.get_by_label("Text", exact=True).fill(f"{sample}, again")
    page.keyboard.press("Enter")
    reviewer.wait(f"review.found?.sample.id === '{sample}' && review.found.number === 3 && !review.compare.drawing")
    expect(page.locator(".ws-earlier")).to_contain_text(HOSTILE)
    expect(page.locator(".ws-question .ws-differs").first).to_contain_text(f"review {sample}, again")
    page.keyboard.press("x")
    reviewer.wait("!review.compare.drawing")
    colours = page.evaluate("review.compare.after.entries.map(one => [one.colour, one.layer.w > 0])")
    assert colours == [["#9aa3b2", True], ["#3ecf8e", True], ["#ff6b6b", True]]
    page.screenshot(path=tmp_path / "review.png")
    page.keyboard.press("y")
    decided(reviewer, "Accepted")
    assert desk.api.get(f"/samples/{sample}").json()["state"] == "accepted"
    expect(page.locator(".ws-review-head .ws-chip")).to_have_count(
        0
    )  # nothing else waits: what is left is no open sample
    for button in page.locator(".ws-decide button:visible").all():
        expect(button).to_be_disabled()
    page.get_by_role("button", name="Show it again").click()
    story = re.compile("accepted by local.*rejected by local", re.DOTALL)
    expect(page.locator(".ws-review .ws-history")).to_contain_text(story)
    expect(page.locator(".ws-decide button:visible")).to_have_text(["Reopen"])
    assert wrong == []


@pytest.mark.slow
def test_a_reviewer_changes_a_sample_and_accepts_it_in_one_go(
    desk: Desk, make_desk: Callable[[], Desk], waiting: list[str]
) -> None:
    sample = waiting[1]
    reviewer = open_review(make_desk, sample)
    page = reviewer.page
    page.keyboard.press("f")
    expect(page.locator(".ws-fixing")).to_be_visible()
    reviewer.ready()
    page.locator("#ws-query textarea").fill("what is fixed?")
    page.get_by_role("button", name="Accept it").click()
    decided(reviewer, "Fixed and accepted")
    found = desk.api.get(f"/samples/{sample}").json()
    assert (found["state"], found["number"], found["sample"]["query"]["text"]) == ("accepted", 3, "what is fixed?")


def test_a_panel_tells_the_keys_and_nothing_is_decided_behind_it(
    desk: Desk, make_desk: Callable[[], Desk], waiting: list[str]
) -> None:
    page = open_review(make_desk, waiting[1]).page
    page.keyboard.press("?")
    panel = page.get_by_role("dialog", name="Keys of the review")
    expect(panel.locator("kbd")).to_have_text(["Y", "N", "1–9", "F", "A", "D", "P", "C", "X", "J", "K", "0", "?"])
    page.keyboard.press("y")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    assert desk.api.get(f"/samples/{waiting[1]}").json()["state"] == "submitted"


@pytest.mark.slow
def test_what_a_reviewer_has_begun_stays_while_he_looks_elsewhere(
    desk: Desk, make_desk: Callable[[], Desk], waiting: list[str]
) -> None:
    reviewer = open_review(make_desk, waiting[0])
    page = reviewer.page
    page.keyboard.press("4")
    page.keyboard.press("c")
    expect(page.get_by_label("Remark", exact=True)).to_be_focused()
    page.keyboard.type("too wide")
    page.get_by_role("tab", name="Browse").click()
    with page.expect_response(lambda reply: reply.url.endswith("/reviews")):
        page.get_by_role("tab", name="Review").click()
    expect(page.get_by_label("Remark", exact=True)).to_have_value("too wide")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    decided(reviewer, "Rejected")


@pytest.mark.slow
def test_two_reviewers_do_not_decide_twice(desk: Desk, make_desk: Callable[[], Desk], waiting: list[str]) -> None:
    sample = waiting[0]
    first, second = (open_review(make_desk, sample) for _ in range(2))
    first.page.keyboard.press("y")
    decided(first, "Accepted")
    second.page.keyboard.press("4")
    second.page.keyboard.press("n")
    decided(second, "changed or decided it meanwhile")
    assert [one["decision"] for one in desk.api.get(f"/samples/{sample}/reviews").json()["reviews"]] == ["accept"]
