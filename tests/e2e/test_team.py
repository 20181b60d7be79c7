"""Several people on one server: signing in, and who works on which sample."""

import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import VIEWPORT, Server, watch
from tests.e2e.desk import Desk
from tests.ui.team import CHEAP, PASSWORD
from whyseg.curation.releases import Releases
from whyseg.curation.users import Users
from whyseg.curation.workspace import Workspace
from whyseg.schemas.user import Role

HOSTILE = "<img src=x onerror=alert(1)>${alert(2)}"


@pytest.fixture(scope="module")
def team(executable: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("e2e") / "team", "team")
    with Workspace.open(started.folder) as workspace:
        Users(workspace.store.database, hasher=CHEAP).add(HOSTILE, Role.ANNOTATOR, PASSWORD, author="root")
    yield started
    started.kill()


@pytest.fixture
def arrive(browser: Browser, team: Server) -> Iterator[Callable[[str], Desk]]:
    """Has somebody sign in on the login page of a browser of their own, and wait for the canvas."""
    made: list[tuple[Desk, list[str]]] = []

    def make(name: str, sample: str = "") -> Desk:
        page = browser.new_context(viewport=VIEWPORT).new_page()  # type: ignore[arg-type]
        made.append((Desk(page, team.url), watch(page)))
        page.goto(f"{team.url}/app/" + (f"?sample={sample}" if sample else ""))
        sign_in(page, name)
        made[-1][0].attach()
        made[-1][0].api.cookies.update({one["name"]: one["value"] for one in page.context.cookies()})
        return made[-1][0]

    yield make
    for desk, wrong in made:
        if not desk.page.is_closed():
            desk.page.goto("about:blank")  # gives its sample back
        desk.close()
        desk.page.context.close()
        assert wrong == [], wrong


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.slow
def test_two_people_never_work_on_one_sample(arrive: Callable[..., Desk]) -> None:
    ann = arrive("ann")
    mine = ann.page.evaluate("desk.id")
    abe = arrive("abe")
    assert abe.page.evaluate("desk.id") != mine  # the first free one

    abe.page.evaluate("id => void desk.open(id)", mine)
    expect(abe.page.locator(".ws-stage .ws-bar")).to_contain_text("ann works on this sample")
    abe.ready()
    assert abe.page.evaluate("stage.readOnly")
    abe.click(50, 50)
    assert abe.state()["instances"] == []

    ann.ask(60, 60)
    assert len(ann.saved()["sample"]["instances"]) == 1
    ann.page.goto("about:blank")  # gives it back
    abe.wait("desk.found.number === 2 && !stage.readOnly")  # by itself, with what ann has saved
    abe.ready()
    abe.ask(200, 200)
    assert abe.saved()["number"] == 3
    authors = [one["author"] for one in abe.api.get(f"/samples/{mine}/revisions").json()["revisions"]]
    assert authors[:2] == ["abe", "ann"]


@pytest.mark.slow
def test_next_passes_over_what_somebody_else_has(arrive: Callable[..., Desk]) -> None:
    ann, abe = arrive("ann"), arrive("abe")
    ids = [desk.page.evaluate("desk.id") for desk in (ann, abe)]
    assert len({*ids}) == 2
    for one in ann.api.get("/samples").json()["samples"]:
        if one["id"] not in ids:  # whatever else there is
            ann.api.post(f"/samples/{one['id']}/lease").raise_for_status()
    abe.page.evaluate("stage.act('next')")
    expect(abe.page.locator(".ws-stage .ws-bar")).to_contain_text("No other sample is free")
    assert abe.page.evaluate("desk.id") == ids[1]
    ann.page.goto("about:blank")
    free = "async () => await desk.leases.next(desk.id)"
    abe.page.wait_for_function(free, polling=100)  # leaving takes a moment
    abe.page.evaluate("stage.act('next')")
    abe.page.wait_for_function("id => desk.id !== id", arg=ids[1], polling=50)


def test_a_lost_lease_is_taken_up_again_and_nothing_is_lost(arrive: Callable[..., Desk]) -> None:
    ann = arrive("ann")
    ann.page.evaluate("desk.leases.open.lease && fetch(new URL('/api/v1/samples/' + desk.id + '/lease', location), "
                      "{method: 'DELETE', headers: {'content-type': 'application/json'}, "
                      "body: JSON.stringify({token: desk.leases.open.lease.token})})")  # fmt: skip
    before = ann.page.evaluate("desk.found.number")
    ann.ask(300, 100)
    assert ann.saved()["number"] > before


@pytest.mark.slow
@pytest.mark.parametrize(("name", "decides"), [("abe", False), ("rea", True)])
def test_who_may_not_decide_is_shown_no_buttons_for_it(arrive: Callable[..., Desk], name: str, decides: bool) -> None:
    page = arrive(name).page
    page.get_by_role("tab", name="Review").click()
    expect(page.locator(".ws-review.ws-looking")).to_have_count(0 if decides else 1)
    for part in ("[data-act=accept]", "[data-act=reject]", ".ws-reasons"):
        expect(page.locator(f".ws-review {part}")).to_be_visible(visible=decides)


@pytest.mark.slow
def test_a_name_is_shown_as_text(arrive: Callable[..., Desk]) -> None:
    desk = arrive(HOSTILE)
    expect(desk.page.locator(".ws-user")).to_have_text(HOSTILE)
    held = desk.page.evaluate("desk.id")
    other = arrive("abe", held)
    expect(other.page.locator(".ws-stage .ws-bar")).to_contain_text(f"{HOSTILE} works on this sample")


@pytest.mark.slow
def test_gradios_events_know_who_asks(arrive: Callable[..., Desk], team: Server) -> None:
    said = "#ws-release-told textarea, #ws-release-told input"
    page = arrive("ann").page
    page.get_by_role("tab", name="Releases").click()
    expect(page.locator("#ws-releases")).to_be_visible()
    expect(page.get_by_role("button", name="Create release")).to_be_hidden()
    page = arrive("cur").page
    page.get_by_role("tab", name="Releases").click()
    page.locator("#ws-release-states input").last.check()  # samples of any state
    page.fill("#ws-release-name textarea, #ws-release-name input", "by-cur")
    page.get_by_role("button", name="Create release").click()
    expect(page.locator(said)).to_have_value(re.compile(r"\d samples of \d images are frozen"))
    with Workspace.open(team.folder) as workspace:
        assert [(made.name, made.author) for made in Releases(workspace).all()] == [("by-cur", "cur")]


@pytest.mark.slow
def test_everybody_changes_their_own_password(arrive: Callable[..., Desk]) -> None:
    page, secret = arrive("rea").page, "another long secret"
    dialog = page.get_by_role("dialog", name="Your account")
    said, change = dialog.get_by_role("status"), dialog.get_by_role("button", name="Change password")
    page.locator(".ws-user").click()
    for old, new, again, answer in (
        (PASSWORD, secret, PASSWORD, "not the same twice"),
        ("a wrong password", secret, secret, "The password is wrong"),
        (PASSWORD, "short", "short", "10 to 1000 characters"),
        (PASSWORD, secret, secret, "Changed. Everywhere else you are signed out."),
        (secret, PASSWORD, PASSWORD, "Changed. Everywhere else you are signed out."),  # for the tests after this one
    ):
        for label, text in (("Password", old), ("New password", new), ("New password again", again)):
            dialog.get_by_label(label, exact=True).fill(text)
        change.click()
        expect(said).to_contain_text(answer)
        expect(change).to_be_enabled()
    assert page.evaluate("fetch('../api/v1/info').then(reply => reply.status)") == 200


def test_a_wrong_password_is_said_and_the_way_leads_back(browser: Browser, team: Server) -> None:
    page = browser.new_context(viewport=VIEWPORT).new_page()  # type: ignore[arg-type]
    wrong = watch(page)
    page.goto(f"{team.url}/login?next=https://evil.example/")
    sign_in(page, "rea", "not the password")
    expect(page.get_by_role("status")).to_have_text("Name or password is wrong.")
    sign_in(page, "rea")
    page.wait_for_url(f"{team.url}/app/**")
    assert wrong == []
    page.context.close()


@pytest.mark.slow
def test_signing_out_shows_the_login_and_ends_the_session(arrive: Callable[..., Desk], team: Server) -> None:
    desk = arrive("cur")
    (cookie,) = desk.page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    desk.page.get_by_title("Sign out").click()
    desk.page.wait_for_url(f"{team.url}/login")
    assert desk.page.context.cookies() == []
    with httpx.Client(cookies={str(cookie["name"]): str(cookie["value"])}) as thief:
        assert thief.get(f"{team.url}/api/v1/info").status_code == 401
    desk.page.go_back()
    expect(desk.page.get_by_label("Password")).to_be_visible()
