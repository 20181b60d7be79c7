"""The Models tab: a question about a picture, the answers on it, a vote that follows the sliders, a draft of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.asked import TEXTS
from tests.e2e.conftest import Server, add_picture, watch
from tests.e2e.desk import Desk
from tests.pictures import encoded, pixels
from whyseg.curation.workspace import Workspace

SHOWN = """() => {
    const canvas = document.querySelectorAll('.ws-models .ws-surface canvas')[1];
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.some((value, i) => i % 4 === 3 && value);
}"""


def ask(page: Page, query: str) -> None:
    page.get_by_label("Question", exact=True).last.fill(query)
    page.locator(".ws-models").get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator(".ws-answers > li")).to_have_count(8)


@pytest.mark.slow
def test_a_question_is_asked_voted_on_and_taken(make_desk: Callable[[], Desk], server: Server, tmp_path: Path) -> None:
    with Workspace.open(server.folder) as workspace:
        small = add_picture(workspace, "small.png", pixels(30, 40, seed=5))
    desk = make_desk()
    desk.load(desk.new_sample(small))
    page, wrong = desk.page, watch(desk.page)
    page.get_by_role("tab", name="Models").click()
    expect(page.locator(".ws-policy")).to_have_text("scripted · masks by fake fake/discs")
    expect(page.locator(".ws-models header .ws-file")).to_have_text("small.png")
    ask(page, "what holds tea?")
    # Of 8 answers 2 cannot be read; of the other 6 four see the cup and two the plate.
    expect(page.locator(".ws-outcome")).to_have_text("67 % agreement · 2 of 8 unreadable")
    expect(page.locator(".ws-ballots li")).to_have_count(2)
    expect(page.locator(".ws-ballots li.ws-chosen .ws-count")).to_have_text("4")
    page.wait_for_function(SHOWN)
    fourth = page.locator(".ws-answers > li").nth(3)
    expect(fourth).to_contain_text("unreadable: not exactly one block")
    fourth.locator("summary").click()
    expect(fourth.locator("pre")).to_have_text(TEXTS[3])
    first = page.locator(".ws-answers > li").first
    first.locator("summary").first.click()
    expect(first.locator("pre").first).to_have_text("it holds <b>tea</b>")
    assert page.locator(".ws-answers b").count() == 0  # what a model writes is text

    page.locator("[data-setting=iou]").evaluate("e => { e.value = 0.3; e.dispatchEvent(new Event('input')); }")
    expect(page.locator(".ws-ballots li")).to_have_count(1)
    expect(page.locator(".ws-ballots li .ws-count")).to_have_text("6")
    page.screenshot(path=tmp_path / "models.png")

    desk.load()  # what was answered is still there
    page.get_by_role("tab", name="Models").click()
    expect(page.locator(".ws-answers > li")).to_have_count(8)
    expect(page.locator(".ws-ballots li")).to_have_count(2)
    page.get_by_role("button", name="Take as a new sample").click()
    expect(page.locator(".ws-stage")).to_be_visible()
    desk.attach()
    expect(page.locator("#ws-query textarea")).to_have_value("what holds tea?")
    kept = desk.api.get(f"/samples/{page.evaluate('desk.id')}").json()["sample"]
    assert [one["origin"]["kind"] for one in kept["instances"]] == ["model"]
    assert wrong == []


@pytest.mark.slow
def test_a_dropped_file_is_asked_about_and_not_kept(make_desk: Callable[[], Desk], tmp_path: Path) -> None:
    desk = make_desk()
    desk.load()
    page, wrong = desk.page, watch(desk.page)
    before = desk.api.get("/samples").json()["total"]
    (tmp_path / "<b>new.png").write_bytes(encoded(pixels(30, 44, seed=6)))
    page.get_by_role("tab", name="Models").click()
    page.locator(".ws-models input[type=file]").set_input_files(tmp_path / "<b>new.png")
    expect(page.locator(".ws-models header .ws-file")).to_have_text("<b>new.png")
    ask(page, "what holds tea?")
    expect(page.get_by_role("button", name="Take as a new sample")).to_be_disabled()
    (tmp_path / "text.png").write_text("no picture")
    page.locator(".ws-models input[type=file]").set_input_files(tmp_path / "text.png")
    expect(page.locator(".ws-models .ws-bar")).to_contain_text("not a picture")
    assert desk.api.get("/samples").json()["total"] == before
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "filled"), [("Models", ".ws-policy:not(:empty)"), ("Browse", "#ws-gallery img")])
def test_a_tab_that_is_chosen_before_the_page_is_ready_shows_its_content(
    make_desk: Callable[[], Desk], name: str, filled: str
) -> None:
    desk = make_desk()
    desk.page.goto(f"{desk.url}/app/", wait_until="commit")
    desk.page.get_by_role("tab", name=name).click()  # as soon as it is there: Gradio has wired no event yet
    expect(desk.page.locator(filled).first).to_be_visible()
    if name == "Models":  # and then the picture of the sample that is open in Annotate, once there is one
        expect(desk.page.locator(".ws-models header .ws-file")).not_to_have_text("no picture")
