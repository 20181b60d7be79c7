"""The Team tab: seen by curators alone, users managed in it, and an audit log that leads to its samples."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import SIZE, Server
from tests.e2e.desk import Desk, disc
from tests.e2e.test_review import save
from tests.e2e.test_team import HOSTILE, arrive, team  # noqa: F401  fixtures
from tests.ui.team import PASSWORD
from whyseg.curation.users import Users
from whyseg.curation.workspace import Workspace
from whyseg.schemas.user import Role

pytestmark = pytest.mark.slow
TOLD = "#ws-users-told textarea, #ws-users-told input"
COUNT = "#ws-audit-count textarea, #ws-audit-count input"


def field(page: Page, name: str) -> str:
    return f"#{name} textarea, #{name} input"


def pick(page: Page, menu: str, option: str) -> None:
    page.locator(f"#{menu} input").click()
    page.get_by_role("option", name=option, exact=True).click()


@pytest.mark.parametrize(("name", "sees"), [("rea", False), ("cur", True)])
def test_curators_alone_see_the_tab(arrive: Callable[..., Desk], name: str, sees: bool) -> None:  # noqa: F811
    page = arrive(name).page
    if sees:
        expect(page.get_by_role("tab", name="Team")).to_be_visible()
    else:
        with page.expect_response(lambda reply: "/gradio_api/" in reply.url):
            page.reload()
        page.wait_for_timeout(500)
        expect(page.get_by_role("tab", name="Team")).to_have_count(0)


def test_a_curator_manages_users(arrive: Callable[..., Desk], team: Server, tmp_path: Path) -> None:  # noqa: F811
    page = arrive("cur").page
    page.get_by_role("tab", name="Team").click()
    users = page.locator("#ws-users-table")
    expect(users).to_contain_text(HOSTILE)  # as text
    page.fill(field(page, "ws-user-name"), "zoe ${alert(1)}")
    page.locator("#ws-user-role").get_by_label("reviewer").check()
    page.fill(field(page, "ws-user-password"), "short")
    page.get_by_role("button", name="Add user").click()
    expect(page.locator(TOLD)).to_have_value(re.compile("10 to 1000 characters, got 5"))
    page.fill(field(page, "ws-user-password"), PASSWORD)
    page.get_by_role("button", name="Add user").click()
    expect(page.locator(TOLD)).to_have_value("zoe ${alert(1)} may sign in as reviewer")
    expect(users).to_contain_text("zoe ${alert(1)}")
    expect(page.locator(field(page, "ws-user-password"))).to_have_value("")

    pick(page, "ws-user", "zoe ${alert(1)}")
    page.locator("#ws-user-new-role").get_by_label("annotator").check()
    page.get_by_role("button", name="Change", exact=True).click()
    expect(page.locator(TOLD)).to_have_value("zoe ${alert(1)} is annotator")
    page.get_by_role("button", name="Keep out").click()
    expect(page.locator(TOLD)).to_have_value("zoe ${alert(1)} is annotator and cannot sign in")
    expect(users).to_contain_text("no: disabled")
    pick(page, "ws-user", "cur")
    page.get_by_role("button", name="Keep out").click()
    expect(page.locator(TOLD)).to_have_value(re.compile("cur is the last curator"))
    with Workspace.open(team.folder) as workspace:
        zoe = Users(workspace.store.database).get("zoe ${alert(1)}")
        assert (zoe.role, zoe.disabled) == (Role.ANNOTATOR, True)
    page.screenshot(path=tmp_path / "users.png", full_page=True)


def test_the_audit_log_is_filtered_and_leads_to_its_samples(
    arrive: Callable[..., Desk],  # noqa: F811
    team: Server,  # noqa: F811
    tmp_path: Path,
) -> None:
    ann, cur = arrive("ann"), arrive("cur")
    sample = ann.new_sample(team.pictures["plain"])
    ann.api.post(f"/samples/{sample}/lease").raise_for_status()
    head = save(ann, sample, disc(SIZE, 200, 200, 60), "who sits here?", "audit")
    body = {
        "revision": head["revision"],
        "decision": "reject",
        "reasons": ["boundary"],
        "comments": [{"text": HOSTILE}],
    }
    cur.api.post(f"/samples/{sample}/review", json=body).raise_for_status()
    page = cur.page
    page.get_by_role("tab", name="Team").click()
    people = page.locator("#ws-people-table")
    expect(people).to_contain_text("Boundary 1")
    expect(page.locator("#ws-people-plot canvas, #ws-people-plot svg").first).to_be_visible()
    page.screenshot(path=tmp_path / "people.png")
    page.get_by_role("tab", name="Audit").click()
    expect(page.locator(COUNT)).to_have_value(re.compile(r"^\d+ entries · page 1 of \d+ · the chain holds here$"))
    page.fill(field(page, "ws-audit-subject"), sample)
    page.keyboard.press("Enter")
    expect(page.locator(COUNT)).to_have_value(re.compile(r"^4 entries"))
    page.fill(field(page, "ws-audit-since"), "tomorrow ${alert(1)}")
    page.keyboard.press("Enter")
    expect(page.locator(COUNT)).to_have_value(re.compile("a day or a time is written as"))
    page.fill(field(page, "ws-audit-since"), "2026-01-01")
    page.keyboard.press("Enter")
    pick(page, "ws-audit-action", "reject")
    expect(page.locator(COUNT)).to_have_value(re.compile(r"^1 entry"))
    page.screenshot(path=tmp_path / "audit.png")
    page.locator("#ws-audit-table").get_by_text(sample).locator("visible=true").first.click()
    expect(page.get_by_role("tab", name="Annotate")).to_have_attribute("aria-selected", "true")
    cur.wait(f"desk.id === '{sample}'")
    expect(page.locator(".ws-told")).to_contain_text(HOSTILE)
