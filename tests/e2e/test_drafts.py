"""Drafts beside the form: asked for, judged, taken into the form, changed, and remembered as the question's origin."""

import threading
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from starlette.responses import Response

from tests.builders import instance
from tests.curation.drafting.server import completion, draft_json, error, serving
from tests.e2e.conftest import SIZE, VIEWPORT, Server, make_workspace, watch
from tests.e2e.desk import Desk, disc
from tests.ui.process import ServerProcess
from whyseg.curation.drafting.accepting import edit_distance, model_of
from whyseg.curation.drafting.template import TemplateDrafter
from whyseg.schemas import Mask, Sample

TEMPLATE = model_of(TemplateDrafter.name, TemplateDrafter.model)


def labelled(desk: Desk, image: str, label: str, x: float, query: str | None = None) -> str:
    """Make a sample of an image with an instance of that label; its id."""
    found = desk.api.get(f"/samples/{desk.new_sample(image)}").json()
    changes = {"instances": [instance(1, Mask.encode(disc(SIZE, x, 200, 60)), label).plain()]}
    record = Sample.parse({**found["sample"], **changes, "query": {"text": query} if query else None}).plain()
    body = {"edit": f"drafts-{record['id']}", "parent": found["revision"], "sample": record}
    desk.api.put(f"/samples/{record['id']}", json=body).raise_for_status()
    return str(record["id"])


def label_it(desk: Desk, server: Server, label: str, query: str | None = None) -> None:
    """Open a sample, on a picture that no other test draws on; another sample of it has a chair."""
    labelled(desk, server.pictures["alone"], "chair", 100)
    desk.open(labelled(desk, server.pictures["alone"], label, 300, query))


def draft(desk: Desk, kind: str, depth: int = 1) -> None:
    desk.page.locator("#ws-type label", has_text=kind).click()
    desk.page.get_by_label("Depth of the drafts").select_option(str(depth))
    desk.page.get_by_role("button", name="Draft questions").click()


def test_a_draft_is_taken_changed_and_its_origin_is_kept(desk: Desk, server: Server, tmp_path: Path) -> None:
    label_it(desk, server, "umbrella", "an older question")
    draft(desk, "Function")
    page = desk.page
    expect(page.locator(".ws-draft-list li").first).to_be_visible()
    page.screenshot(path=tmp_path / "drafts.png")
    text = str(page.locator(".ws-draft-list p").first.text_content())
    page.get_by_role("button", name="Use").first.click()
    expect(page.locator("#ws-query textarea")).to_have_value(text)
    record = desk.saved()["sample"]
    assert (record["query"]["text"], record["reasoning_type"]) == (text, "function_purpose")
    assert record["query"]["origin"] == {"kind": "model", "model": TEMPLATE, "edit_distance": 0.0}
    assert record["depth"] == len(record["hops"]) == 1

    page.locator("#ws-query textarea").fill(f"{text} Say where.")
    origin = desk.saved()["sample"]["query"]["origin"]
    assert origin["edit_distance"] == pytest.approx(edit_distance(text, f"{text} Say where."))

    desk.open(record["id"])  # the draft is found again among those that were kept
    expect(page.locator(".ws-draft-list p").first).to_have_text(text)
    page.locator("#ws-query textarea").fill(text)
    assert desk.saved()["sample"]["query"]["origin"]["edit_distance"] == 0


def test_a_draft_gives_way_to_the_question_that_it_replaced(desk: Desk, server: Server) -> None:
    label_it(desk, server, "umbrella", "what keeps me dry?")
    draft(desk, "Function")
    desk.page.get_by_role("button", name="Use").first.click()
    desk.page.get_by_role("button", name="Bring it back").click()
    expect(desk.page.locator("#ws-query textarea")).to_have_value("what keeps me dry?")
    query = desk.saved()["sample"]["query"]
    assert (query["text"], query["origin"]["kind"]) == ("what keeps me dry?", "human")


def test_why_there_is_no_draft_is_said(desk: Desk, server: Server) -> None:
    page = desk.page
    page.get_by_role("button", name="Draft questions").click()
    expect(page.locator(".ws-drafts .ws-note")).to_have_text("Choose the reasoning type first.")
    draft(desk, "Commonsense")
    expect(page.locator(".ws-drafts .ws-note")).to_contain_text("there is no mask yet")
    label_it(desk, server, "")
    draft(desk, "Commonsense")
    expect(page.locator(".ws-drafts .ws-note")).to_contain_text("instance 1 lacks a label")


@pytest.mark.slow
def test_an_endpoint_that_is_slow_or_fails_is_said_and_stops_nobody(
    browser: Browser, server: Server, tmp_path: Path
) -> None:
    go = threading.Event()

    def slow(_: dict[str, Any]) -> Response:
        go.wait(60)
        return completion(draft_json("What came too late?"))

    pictures = make_workspace(tmp_path / "served")
    good = completion(draft_json("What keeps people dry?"))
    with serving(slow, error(401, "bad key"), good) as chat:
        options = ("--drafter", "openai", "--endpoint", chat.url, "--drafter-model", "writer")
        with ServerProcess(tmp_path / "served", *options) as served:
            page = browser.new_context(viewport=VIEWPORT).new_page()  # type: ignore[arg-type]
            wrong, desk = watch(page), Desk(page, served.url)
            sample = labelled(desk, pictures["alone"], "umbrella", 300)
            desk.load(sample)
            expect(page.locator(".ws-draft-line .ws-count")).to_have_text("by openai")
            draft(desk, "Function")
            expect(page.locator(".ws-drafts .ws-note")).to_have_text("drafting…")
            page.locator("#ws-query textarea").fill("what is written meanwhile?")
            assert desk.saved()["sample"]["query"]["text"] == "what is written meanwhile?"
            page.get_by_role("button", name="Stop").click()
            expect(page.get_by_role("button", name="Draft questions")).to_be_enabled()
            go.set()

            draft(desk, "Function")
            expect(page.locator(".ws-drafts .ws-note")).to_contain_text("answered 401 to model writer")
            page.screenshot(path=tmp_path / "failed.png")
            draft(desk, "Function")
            expect(page.locator(".ws-draft-list p")).to_have_text("What keeps people dry?")
            expect(page.locator(".ws-drafts .ws-note")).to_have_text("")
            desk.open(desk.new_sample(pictures["alone"]))
            desk.open(sample)  # what came after nobody waited any more is kept, too
            expect(page.locator(".ws-draft-list p")).to_contain_text(["What keeps people dry?", "What came too late?"])
            assert wrong == []
            desk.close()
