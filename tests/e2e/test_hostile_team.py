"""Text that would like to be a program, through everything that a team writes: names, remarks, reasons, questions."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.builders import instance
from tests.e2e.conftest import SIZE, Server
from tests.e2e.desk import Desk, disc
from tests.e2e.test_hostile import HOSTILE as TEXT
from tests.e2e.test_team import HOSTILE, arrive, team  # noqa: F401  fixtures
from tests.e2e.test_team_tab import COUNT, field
from whyseg.curation.checks import check_workspace
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Sample

FROZEN = "#ws-release-summary textarea, #ws-release-summary input"


def tell(author: Desk, curator: Desk) -> str:
    """Have a sample drawn, rejected, fixed, accepted and opened again, with `TEXT` in every field; its id."""
    sample = str(author.page.evaluate("desk.id"))
    for number, decision in ((1, "reject"), (2, "accept")):
        found = author.api.get(f"/samples/{sample}").json()
        changes = {
            "instances": [instance(1, Mask.encode(disc(SIZE, 200, 200, 40 * number)), TEXT[:200]).plain()],
            "query": {"text": TEXT + str(number), "alternates": [TEXT]}, "reasoning_type": "compositional",
            "hops": [TEXT] * 2, "depth": 2,
        }  # fmt: skip
        record = Sample.parse({**found["sample"], **changes}).plain()
        body = {"edit": f"{TEXT}-{number}", "parent": found["revision"], "sample": record}
        head = author.api.put(f"/samples/{sample}", json=body).raise_for_status().json()
        author.api.post(f"/samples/{sample}/submit", json={"parent": head["revision"]}).raise_for_status()
        remarks = [{"text": TEXT, "pin": [200, 200]}, {"text": TEXT}]
        reasons = ["other"] if decision == "reject" else []
        body = {"revision": head["revision"], "decision": decision, "reasons": reasons, "comments": remarks}
        curator.api.post(f"/samples/{sample}/review", json=body).raise_for_status()
    curator.api.post(f"/samples/{sample}/reopen", json={"reason": TEXT}).raise_for_status()
    return sample


@pytest.mark.slow
def test_what_a_team_writes_is_text_wherever_it_is_shown(
    arrive: Callable[..., Desk],  # noqa: F811
    team: Server,  # noqa: F811
    tmp_path: Path,
) -> None:
    author, curator = arrive(HOSTILE), arrive("cur")
    with Workspace.open(team.folder) as workspace:
        Releases(workspace).create("before", author=TEXT, states="any")
        sample = tell(author, curator)
        Releases(workspace).create("after", author=TEXT, states="any")
        check_workspace(workspace)
    page = curator.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    author.page.goto("about:blank")
    page.goto(f"{team.url}/app/?sample={sample}")
    curator.attach()
    expect(page.locator(".ws-told")).to_have_text(f"Opened again by cur: {TEXT}")
    page.get_by_title("History of this sample").click()
    story = page.locator(".ws-aside")
    expect(story).to_contain_text(f"submitted by {HOSTILE}")
    expect(story.locator("li li")).to_have_text([TEXT] * 4)
    page.screenshot(path=tmp_path / "annotate.png")

    page.get_by_role("tab", name="Review").click()
    page.get_by_label("State").first.select_option("draft")
    page.get_by_label("Text", exact=True).fill(TEXT[:100])
    page.keyboard.press("Enter")
    expect(page.locator(".ws-review .ws-history")).to_contain_text(f"submitted by {HOSTILE}")
    expect(page.locator(".ws-review .ws-earlier")).to_contain_text(TEXT)

    page.get_by_role("tab", name="Findings").click()
    page.wait_for_timeout(500)
    page.get_by_role("tab", name="Releases").click()
    expect(page.locator(FROZEN)).to_have_value(re.compile("^1 changed"))
    expect(page.locator("#ws-release-rows")).to_contain_text(TEXT[:40])
    expect(page.locator("#ws-releases")).to_contain_text(TEXT[:40])
    team_sections(page, sample, tmp_path)
    assert not [url for url in asked if url.endswith("/x")]  # nor was a picture asked for


def team_sections(page: Page, sample: str, tmp_path: Path) -> None:
    """Look at every section of the Team tab, and point at the plot."""
    page.get_by_role("tab", name="Team").click()
    expect(page.locator("#ws-people-table")).to_contain_text(HOSTILE)
    plot = page.locator("#ws-people-plot canvas, #ws-people-plot svg").first
    expect(plot).to_be_visible()
    box = plot.bounding_box()
    assert box
    for part in range(1, 10):
        page.mouse.move(box["x"] + box["width"] * part / 10, box["y"] + box["height"] * 0.6)
        page.wait_for_timeout(60)
    page.screenshot(path=tmp_path / "people.png")
    for name in ("Work", "Agreement"):
        page.get_by_role("tab", name=name, exact=True).click()
        page.wait_for_timeout(500)
    page.get_by_role("tab", name="Audit").click()
    expect(page.locator(COUNT)).to_have_value(re.compile("the chain holds here"))
    for name, count in (("ws-audit-actor", 4), ("ws-audit-subject", 0)):
        page.fill(field(page, name), HOSTILE if count else TEXT[:190])
        page.keyboard.press("Enter")
        expect(page.locator(COUNT)).to_have_value(re.compile(f"^{count or 'no'} entr"))
        page.screenshot(path=tmp_path / f"{name}.png")
    page.fill(field(page, "ws-audit-actor"), "")
    page.fill(field(page, "ws-audit-subject"), sample)
    page.keyboard.press("Enter")
    expect(page.locator("#ws-audit-table")).to_contain_text(f"reason: {TEXT[:30]}")
