"""Drafts beside the form: asked for, judged, taken into the form, changed, and remembered as the question's origin."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.builders import instance
from tests.e2e.conftest import SIZE, Server
from tests.e2e.desk import Desk, disc
from whyseg.curation.drafting.accepting import edit_distance, model_of
from whyseg.curation.drafting.template import TemplateDrafter
from whyseg.schemas import Mask, Sample

TEMPLATE = model_of(TemplateDrafter.name, TemplateDrafter.model)


def labelled(desk: Desk, server: Server, label: str, x: float, query: str | None = None) -> str:
    """Make a sample, on a picture that no other test draws on, with an instance of that label; its id."""
    found = desk.api.get(f"/samples/{desk.new_sample(server.pictures['alone'])}").json()
    changes = {"instances": [instance(1, Mask.encode(disc(SIZE, x, 200, 60)), label).plain()]}
    record = Sample.parse({**found["sample"], **changes, "query": {"text": query} if query else None}).plain()
    body = {"edit": f"drafts-{record['id']}", "parent": found["revision"], "sample": record}
    desk.api.put(f"/samples/{record['id']}", json=body).raise_for_status()
    return str(record["id"])


def label_it(desk: Desk, server: Server, label: str, query: str | None = None) -> None:
    """Open a sample with an instance of that label; another sample of the picture has a chair."""
    labelled(desk, server, "chair", 100)
    desk.open(labelled(desk, server, label, 300, query))


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
