"""The list of samples: what it shows, filters and pages, and the way to the annotation page."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.e2e.conftest import Server
from tests.e2e.desk import Desk

COUNT = "#ws-count textarea, #ws-count input"


def test_a_sample_is_found_and_opened(desk: Desk, server: Server, make_desk: Callable[[], Desk]) -> None:
    ids = [desk.new_sample(server.pictures["marks"]) for _ in range(26)]
    for number, sample in enumerate(ids):
        found = desk.api.get(f"/samples/{sample}").json()
        changed = {**found["sample"], "query": {"text": f"find me {number:02}", "is_sentence": True, "alternates": []}}
        body = {"edit": f"browse-{number}", "parent": found["revision"], "sample": changed}
        desk.api.put(f"/samples/{sample}", json=body).raise_for_status()
    page = make_desk()
    page.load()
    browser = page.page
    browser.get_by_role("tab", name="Browse").click()
    browser.fill("#ws-filter-text textarea, #ws-filter-text input", "find me")
    expect(browser.locator(COUNT)).to_have_value("26 samples · page 1 of 2")
    thumbnails = browser.locator("#ws-gallery img")
    expect(thumbnails).to_have_count(24)
    address = f"{server.url}/api/v1/images/{server.pictures['marks']}/thumbnail"
    expect(thumbnails.first).to_have_attribute("src", re.compile(f"^{re.escape(address)}"))
    browser.get_by_role("button", name="Next page").click()
    expect(browser.locator(COUNT)).to_have_value("26 samples · page 2 of 2")
    expect(thumbnails).to_have_count(2)
    browser.locator("#ws-gallery .thumbnail-item").nth(1).click()
    page.wait(f"desk.id === '{ids[25]}'")
    page.ready()
    expect(browser.locator(".ws-stage")).to_be_visible()
    assert browser.input_value("#ws-query textarea") == "find me 25"
    assert f"sample={ids[25]}" in browser.url

    browser.get_by_role("tab", name="Browse").click()  # where one was
    expect(browser.locator(COUNT)).to_have_value("26 samples · page 2 of 2")
    browser.locator("#ws-gallery .thumbnail-item").nth(1).click()  # the same one again
    expect(browser.locator(".ws-stage")).to_be_visible()
    browser.get_by_role("tab", name="Browse").click()
    browser.get_by_role("tab", name="Table").click()
    browser.locator("#ws-table").get_by_text("find me 24").locator("visible=true").first.click()
    page.wait(f"desk.id === '{ids[24]}'")
