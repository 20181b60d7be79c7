"""A model's findings lead to the changes that it proposes: seen beside the sample, accepted, dismissed, or fixed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SIZE, Server, watch
from tests.e2e.desk import Desk, disc
from tests.e2e.test_review import RIGHT, WRONG, decided, save
from tests.proposed import add_proposal, add_signals
from whyseg.curation.store import Store
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Finding, Mask

HOSTILE = "<img src=x onerror=alert(1)> ${alert(2)} {{alert(3)}} </script><script>alert(4)</script>"
pytestmark = pytest.mark.slow


@pytest.fixture
def store(server: Server) -> Iterator[Store]:
    with Workspace.open(server.folder) as workspace:
        yield workspace.store


@pytest.fixture
def wrong(desk: Desk, server: Server, store: Store) -> list[str]:
    """Two accepted samples of which a model says that something else is meant, the surer one first."""
    ids = []
    for score in (0.9, 0.5):
        sample = desk.new_sample(server.pictures["plain"])
        head = save(desk, sample, WRONG, f"proposed {sample}", "first")
        body = {"revision": head["revision"], "decision": "accept"}
        desk.api.post(f"/samples/{sample}/review", json=body).raise_for_status()
        add_proposal(store, sample, Mask.encode(RIGHT), says=f"6 of 8 answers see this. {HOSTILE}", label=HOSTILE[:200],
                     score=score, made_by=HOSTILE)  # fmt: skip
        seen = [(Mask.encode(RIGHT), HOSTILE[:200], 6), (Mask.encode(disc(SIZE, 500, 100, 30)), "", 1)]
        add_signals(store, sample, run=sample, clusters=seen, figures={"best_iou": 0.3, "vote_iou": 0.2})
        told = {"id": f"wrong-{sample}", "kind": "wrong_target", "severity": "warning", "message": HOSTILE}
        evidence = {"revision": head["revision"]}
        found = {**told, "sample_id": sample, "evidence": evidence, "created_at": "2026-01-01T00:00:00Z"}
        store.add_finding(Finding.parse(found))
        ids.append(sample)
    return ids


def state_of(desk: Desk, sample: str) -> Any:
    found = desk.api.get(f"/samples/{sample}").raise_for_status().json()
    return found["state"], found["number"]


def shown(reviewer: Desk, sample: str, number: int = 0) -> None:
    """Wait until a sample stands beside a proposal, by its place in the list."""
    reviewer.wait(f"review.found?.sample.id === '{sample}' && review.proposals.list.length > {number}")
    reviewer.wait(f"review.proposal === review.proposals.list[{number}] && !review.compare.drawing")


def come(make_desk: Callable[[], Desk], sample: str) -> Desk:
    """Open the page at a model's finding, and follow it into the review."""
    reviewer = make_desk()
    reviewer.page.set_viewport_size({"width": 1280, "height": 720})
    reviewer.load()
    page = reviewer.page
    page.get_by_role("tab", name="Findings").click()
    page.get_by_label("Kind").select_option("wrong_target")
    page.locator(f"[data-finding='wrong-{sample}'] .ws-finding-picture").click()
    reviewer.wait("window.review = window.page.reviewing()")
    shown(reviewer, sample)
    return reviewer


def cards(page: Page) -> Any:
    return page.locator(".ws-proposed li")


def test_what_a_model_says_is_one_click_from_being_fixed(
    desk: Desk, make_desk: Callable[[], Desk], wrong: list[str], store: Store, tmp_path: Path
) -> None:
    first, second = wrong
    add_proposal(store, first, query=f"what is meant? {HOSTILE}", reason="query_rewrite", score=0.4)
    reviewer = come(make_desk, first)
    page, mistakes = reviewer.page, watch(reviewer.page)
    expect(page.get_by_label("State")).to_have_value("proposed")
    expect(cards(page)).to_have_count(2)
    expect(cards(page).first).to_contain_text(f"wrong target 90 % sure6 of 8 answers see this. {HOSTILE}")
    expect(page.locator(".ws-signals")).to_contain_text("4 of 8 answers find the target; most agree on something else")
    colours = page.evaluate("review.compare.after.entries.map(one => [one.colour, one.layer.w > 0])")
    assert colours == [["#9aa3b2", True], ["#3ecf8e", True], ["#ff6b6b", True]]
    page.locator(".ws-clusters button").last.hover()
    assert page.evaluate("[review.compare.seen.layer.x, review.compare.seen.layer.w]") == [470, 61]
    page.screenshot(path=tmp_path / "proposed.png")
    page.mouse.move(640, 10)
    assert page.evaluate("review.compare.seen") is None

    page.keyboard.press("p")
    shown(reviewer, first, 1)
    expect(page.locator(".ws-question .ws-differs").first).to_contain_text(HOSTILE)
    page.screenshot(path=tmp_path / "question.png")
    page.keyboard.press("d")
    decided(reviewer, "Dismissed; another change is proposed")
    shown(reviewer, first)
    page.keyboard.press("a")
    decided(reviewer, "Changed as proposed: it is submitted now")
    assert state_of(desk, first) == ("submitted", 3)
    assert desk.api.get(f"/samples/{first}").json()["sample"]["instances"][0]["mask"] == Mask.encode(RIGHT).plain()

    shown(reviewer, second)  # the next one, by itself
    page.get_by_role("button", name="Reopen and fix…").click()
    expect(page.locator(".ws-fixing")).to_be_visible()
    reviewer.wait(f"desk.id === '{second}'")
    reviewer.ready()
    page.locator("#ws-query textarea").fill("what is fixed?")
    page.get_by_role("button", name="Accept it").click()
    decided(reviewer, "Fixed and accepted")
    assert state_of(desk, second) == ("accepted", 3)
    assert desk.api.get("/proposals", params={"sample_id": second}).json()["total"] == 0
    assert mistakes == []


def test_who_comes_late_is_told_and_changes_nothing(
    desk: Desk, make_desk: Callable[[], Desk], wrong: list[str], tmp_path: Path
) -> None:
    sample = wrong[0]
    reviewer = come(make_desk, sample)
    desk.api.post(f"/samples/{sample}/reopen", json={"reason": "another idea"}).raise_for_status()
    save(desk, sample, disc(SIZE, 300, 300, 20), "something else", "second")
    reviewer.page.keyboard.press("a")
    decided(reviewer, "Somebody changed the sample or decided on this meanwhile; nothing was done.")
    reviewer.page.screenshot(path=tmp_path / "late.png")
    reviewer.page.get_by_role("button", name="Show it as it is now").click()
    reviewer.wait("review.found.number === 3 && review.proposal === null")
    expect(reviewer.page.locator(".ws-signals")).to_contain_text("about r2: the sample has changed since")
    assert state_of(desk, sample) == ("submitted", 3)
