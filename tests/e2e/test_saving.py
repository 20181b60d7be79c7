"""Saving: form and masks, problems, conflicts between two people, and a connection that comes and goes."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import Server
from tests.e2e.desk import Desk
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Review

QUERY, HOPS, ALTERNATES = "#ws-query textarea", "#ws-hops textarea", "#ws-alternates textarea"


def chip(desk: Desk, name: str) -> str:
    return str(desk.page.locator(f".ws-chip-{name}").text_content())


def fill(desk: Desk, question: str = "what keeps the drink warm?") -> None:
    """Write everything that a submission needs but the masks."""
    desk.page.fill(QUERY, question)
    desk.page.fill(ALTERNATES, "which thing holds heat?\n\n  where is it warm?  ")
    desk.page.locator("#ws-type label", has_text="Commonsense").click()
    desk.page.fill(HOPS, "drinks are served in cups\nthe cup steams")


def test_the_form_is_saved_and_comes_back(desk: Desk, make_desk: Callable[[], Desk]) -> None:
    fill(desk)
    desk.page.locator("#ws-kind label", has_text="a phrase").click()
    assert desk.page.locator("#ws-depth").text_content() == "depth 2"
    assert "everybody or an expert knows" in str(desk.page.locator("#ws-guide").text_content())
    record = desk.saved()["sample"]
    assert record["query"] == {
        "text": "what keeps the drink warm?", "is_sentence": False,
        "alternates": ["which thing holds heat?", "where is it warm?"],
        "origin": {"kind": "human", "model": None, "edit_distance": None},
    }  # fmt: skip
    assert (record["reasoning_type"], record["depth"]) == ("commonsense", 2)
    assert record["hops"] == ["drinks are served in cups", "the cup steams"]
    assert chip(desk, "save") == f"saved r{desk.on_server()['number']}"

    other = make_desk()
    other.load(desk.page.evaluate("desk.id"))
    assert other.page.input_value(QUERY) == "what keeps the drink warm?"
    assert other.page.input_value(ALTERNATES) == "which thing holds heat?\nwhere is it warm?"
    assert other.page.input_value(HOPS) == "drinks are served in cups\nthe cup steams"
    expect(other.page.get_by_label("Commonsense")).to_be_checked()
    expect(other.page.get_by_label("a phrase")).to_be_checked()
    assert other.state() == record
    assert other.saved()["number"] == desk.on_server()["number"]  # to look is not to change


def test_samples_do_not_mix_their_texts(desk: Desk, server: Server) -> None:
    first, second = desk.page.evaluate("desk.id"), desk.new_sample(server.pictures["plain"])
    for sample, text in ((first, "one"), (second, "two"), (first, "one more"), (second, "")):
        desk.open(sample)
        desk.page.fill(QUERY, text)
    for sample, text in ((first, "one more"), (second, "")):
        desk.open(sample)
        assert desk.page.input_value(QUERY) == text
        query = desk.saved()["sample"]["query"]
        assert (query["text"] if query else "") == text


def test_fields_are_not_read_before_they_show_the_sample(desk: Desk, server: Server) -> None:
    """Gradio fills them a moment after the sample is open; an event in between finds the text of the sample before."""
    desk.page.fill(QUERY, "of the first sample")
    second = desk.new_sample(server.pictures["plain"])
    early = """async id => {
        await desk.open(id);
        const field = document.querySelector("#ws-query textarea"), { value } = field;
        field.dispatchEvent(new Event("input", { bubbles: true }));
        return [value, desk.form.question.query];
    }"""
    shown, query = desk.page.evaluate(early, second)
    assert (shown, query) == ("of the first sample", None)
    desk.ready()
    assert desk.page.input_value(QUERY) == ""
    assert desk.saved()["number"] == 1


def test_a_fifth_hop_is_said_to_be_one_too_many(desk: Desk) -> None:
    desk.page.fill(HOPS, "a\nb\nc\nd\ne")
    assert "line 5 is not saved" in str(desk.page.locator("#ws-depth").text_content())
    assert desk.saved()["sample"]["hops"] == ["a", "b", "c", "d"]


def test_no_target_and_instances_exclude_each_other(desk: Desk) -> None:
    box = desk.page.locator("#ws-no-target input")
    desk.ask(100, 100)
    box.click()
    assert "Delete the instances first" in desk.bar()
    expect(box).not_to_be_checked()
    desk.page.mouse.move(*desk.place(10, 10))
    desk.keys("Delete")
    box.check()
    assert desk.saved()["sample"]["no_target"]
    desk.click(200, 200)
    assert "marked as no-target" in desk.bar()
    desk.keys("Control+z")  # brings the instance back
    expect(box).not_to_be_checked()
    record = desk.saved()["sample"]
    assert (record["no_target"], len(record["instances"])) == (False, 1)


def test_a_submission_says_what_it_lacks_and_then_goes_on_to_the_next(desk: Desk, server: Server) -> None:
    sample = desk.page.evaluate("desk.id")
    following = desk.new_sample(server.pictures["plain"])
    desk.open(sample)
    desk.keys("Control+Enter")
    desk.page.get_by_text("Not submitted yet: the question is missing").wait_for()
    marked = {name for name in ("query", "type", "hops") if desk.page.locator(f"#ws-{name}.ws-lacks").count()}
    assert marked == {"query", "type", "hops"}
    assert desk.page.locator(".ws-instances.ws-lacks").count() == 1
    fill(desk)
    assert desk.page.locator(".ws-lacks").count() == 1  # the instances still are
    desk.ask(100, 100)
    desk.page.locator(HOPS).focus()
    desk.keys("Control+Enter")  # while typing, too: the question is what one writes last
    desk.wait(f"desk.id === '{following}'")
    assert desk.api.get(f"/samples/{sample}").json()["state"] == "submitted"
    assert f"sample={following}" in desk.page.url
    desk.ready()
    desk.page.get_by_role("button", name="Go back to it").click()
    desk.wait(f"desk.id === '{sample}'")
    desk.ready()
    assert chip(desk, "state") == "submitted"
    desk.ask(300, 300)  # a change makes it a draft again
    desk.saved()
    assert chip(desk, "state") == "draft"


def test_samples_follow_one_another(desk: Desk) -> None:
    first = desk.page.evaluate("desk.id")
    desk.page.get_by_role("button", name="+ Question").click()
    desk.wait(f"desk.id !== '{first}'")
    desk.ready()
    second = desk.page.evaluate("desk.id")
    found = desk.on_server()
    assert found["sample"]["image_id"] == desk.api.get(f"/samples/{first}").json()["sample"]["image_id"]
    desk.page.mouse.move(*desk.place(10, 10))
    desk.keys("a")
    desk.wait(f"desk.id === '{found['previous']}'")
    desk.ready()
    desk.keys("d")
    desk.wait(f"desk.id === '{second}'")
    desk.ready()
    desk.keys("Control+Space")
    desk.page.get_by_text("This is the last sample").wait_for()


def disagree(desk: Desk, other: Desk) -> None:
    """Two people change one sample: an instance and a question here; another instance and question there."""
    other.load(desk.page.evaluate("desk.id"))
    other.ask(500, 400)
    other.page.fill(QUERY, "their question")
    other.saved()
    desk.ask(100, 100)
    desk.page.fill(QUERY, "my question")
    desk.page.locator(".ws-conflict").wait_for()


@pytest.mark.slow
def test_two_versions_are_shown_and_merged(desk: Desk, make_desk: Callable[[], Desk]) -> None:
    other = make_desk()
    disagree(desk, other)
    dialog = desk.page.locator(".ws-conflict")
    assert "both changed the query" in str(dialog.text_content())
    for text in ("my question", "their question"):
        assert text in str(dialog.text_content())
    assert chip(desk, "save") == "not saved: needs your decision"
    desk.keys("Escape", "Escape")  # nothing but a choice ends it
    expect(dialog).to_be_visible()
    assert other.on_server()["sample"]["query"]["text"] == "their question"  # nothing was overwritten
    before = desk.state()
    dialog.get_by_role("button", name="Merge").click()
    record = desk.saved()["sample"]
    assert [len(i["prompt"]["points"]) for i in record["instances"]] == [1, 1]
    assert {i["mask"]["counts"] for i in record["instances"]} == {
        i["mask"]["counts"] for i in [*before["instances"], *other.state()["instances"]]
    }
    assert record["query"]["text"] == "my question"
    assert desk.state() == record
    assert desk.page.input_value(QUERY) == "my question"
    desk.keys("Escape", "Control+z")  # out of the text field
    assert desk.state()["instances"] == before["instances"]


@pytest.mark.slow
def test_one_version_can_be_kept_and_the_other_taken(desk: Desk, make_desk: Callable[[], Desk]) -> None:
    other = make_desk()
    disagree(desk, other)
    mine = desk.state()
    desk.page.locator(".ws-conflict").get_by_role("button", name="Keep mine").click()
    assert desk.saved()["sample"] == mine == desk.state()
    other.page.fill(QUERY, "their second question")  # the other one is stale now
    other.page.locator(".ws-conflict").get_by_role("button", name="Take theirs").click()
    assert other.saved()["sample"] == mine == other.state()
    assert other.page.input_value(QUERY) == "my question"


def test_work_goes_on_without_a_connection(desk: Desk) -> None:
    desk.ask(100, 100)
    desk.saved()
    desk.page.route("**/api/v1/**", lambda route: route.abort())
    desk.keys("b")
    desk.drag((300, 300), (340, 300))
    desk.page.fill(QUERY, "what is it?")
    expect(desk.page.locator(".ws-chip-save")).to_have_text("kept in this browser, no connection")
    assert "No connection to the server" in desk.bar()
    desk.keys("Control+Enter")
    desk.page.get_by_text("Not submitted").wait_for()
    desk.page.mouse.move(*desk.place(10, 10))
    desk.keys("Escape", "s")
    desk.click(200, 100)
    desk.page.get_by_text("The click was not answered").wait_for()
    mine = desk.state()
    assert mine["query"]["text"] == "what is it?"
    desk.page.unroute_all()
    assert desk.saved()["sample"] == mine
    expect(desk.page.locator(".ws-chip-save")).to_have_text(f"saved r{desk.on_server()['number']}")


def test_a_lost_reply_is_no_conflict_with_oneself(desk: Desk) -> None:
    lost: list[str] = []

    def lose_the_reply(page: Page) -> None:
        def handle(route: object) -> None:
            lost.append(route.request.post_data_json["edit"])  # type: ignore[attr-defined]
            route.fetch()  # type: ignore[attr-defined]
            route.abort()  # type: ignore[attr-defined]

        page.route("**/api/v1/samples/*", handle, times=1)

    lose_the_reply(desk.page)
    desk.page.fill(QUERY, "one")
    desk.wait("desk.saver.offline")
    desk.page.fill(QUERY, "two")
    record = desk.saved()
    assert record["sample"]["query"]["text"] == "two"
    assert len(lost) == 1
    assert record["number"] == 3  # empty, one, two
    assert desk.page.locator(".ws-conflict").count() == 0


def test_an_accepted_sample_is_shown_and_locked(desk: Desk, server: Server) -> None:
    sample = desk.page.evaluate("desk.id")
    desk.ask(100, 100)
    fill(desk)
    revision = desk.saved()["revision"]
    desk.api.post(f"/samples/{sample}/submit", json={"parent": revision}).raise_for_status()
    with Workspace.open(server.folder) as workspace:
        acceptance = {"id": "r1", "sample_id": sample, "revision_id": revision, "reviewer": "rey", "decision": "accept"}
        workspace.store.review(Review.parse({**acceptance, "created_at": "2026-01-01T00:00:00Z"}))

    # The page still shows it as a draft: what is done now is refused, kept, and can be given up.
    desk.ask(300, 300)
    desk.page.get_by_text("Not saved: sample").wait_for()
    assert len(desk.state()["instances"][0]["prompt"]["points"]) == 2
    desk.page.get_by_role("button", name="Discard my change").click()
    desk.wait("stage.readOnly && desk.saver.entries.size === 0")
    desk.ready()
    assert chip(desk, "state") == "accepted"
    before = desk.state()
    assert len(before["instances"][0]["prompt"]["points"]) == 1
    assert desk.page.locator("#ws-form").get_attribute("inert") is not None
    expect(desk.page.locator("#ws-submit")).to_be_disabled()
    for key in ("s", "b", "p"):
        desk.keys(key)
        desk.click(300, 300)
        assert "accepted and locked" in desk.bar()
    desk.keys("Delete", "Control+z")
    assert desk.state() == before
    desk.open(desk.new_sample(server.pictures["plain"]))
    assert desk.page.locator("#ws-form").get_attribute("inert") is None
    expect(desk.page.locator("#ws-submit")).to_be_enabled()
