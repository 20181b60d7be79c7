"""Text that would like to be a program is shown as text, wherever it goes."""

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import Server, add_picture, watch
from tests.e2e.desk import Desk
from whyseg.curation.workspace import Workspace

# Each way reports by a name of its own: a template that runs, a handler, a script, a link.
HOSTILE = (
    "${hit('template')} {{hit('handlebars')}} <img src=x onerror=\"hit('handler')\"> "
    "<script>hit('script')</script></script><svg onload=hit('svg')> [x](javascript:hit('link'))"
)
HOOK = "window.hits = []; window.hit = name => { hits.push(name); alert(name); };"


@pytest.mark.slow
def test_hostile_text_is_text_in_every_field(desk: Desk, server: Server, make_desk: Callable[[], Desk]) -> None:
    with Workspace.open(server.folder) as workspace:
        noise = np.random.default_rng(9).integers(0, 256, (60, 80, 3), dtype=np.uint8)
        image_id = add_picture(workspace, HOSTILE.replace("/", "∕"), noise)
    other = make_desk()
    wrong = watch(other.page)
    requests: list[str] = []
    other.page.on("request", lambda request: requests.append(request.url))
    other.page.add_init_script(HOOK)
    other.load(other.new_sample(image_id))
    for field in ("query", "alternates", "hops"):
        other.page.fill(f"#ws-{field} textarea", HOSTILE)
    other.ask(40, 30)
    other.keys("l")
    other.page.keyboard.type(HOSTILE)
    record = other.saved()["sample"]
    assert record["query"]["text"] == record["hops"][0] == record["query"]["alternates"][0] == HOSTILE
    assert record["instances"][0]["label"] == HOSTILE[:200]

    other.load(record["id"])  # shown again from the server
    assert other.page.input_value("#ws-query textarea") == HOSTILE
    assert other.page.locator(".ws-label").input_value() == HOSTILE[:200].strip()
    assert str(other.page.locator(".ws-file").text_content()).startswith("${hit('template')}")

    changed = {**record, "query": {**record["query"], "text": HOSTILE + "!"}}  # both versions in the dialog
    parent = other.on_server()["revision"]
    other.api.put(f"/samples/{record['id']}", json={"edit": "e", "parent": parent, "sample": changed})
    other.page.fill("#ws-query textarea", HOSTILE + "?")
    other.page.locator(".ws-conflict").wait_for()
    assert HOSTILE + "!" in str(other.page.locator(".ws-conflict").text_content())
    other.page.locator(".ws-conflict").get_by_role("button", name="Keep mine").click()
    other.saved()

    other.page.get_by_role("tab", name="Browse").click()
    other.page.fill("#ws-filter-text textarea, #ws-filter-text input", HOSTILE[:190])
    expect(other.page.locator("#ws-gallery .thumbnail-item")).to_have_count(1)
    expect(other.page.locator("#ws-gallery")).to_contain_text("${hit('template')}")
    other.page.get_by_role("tab", name="Table").click()
    other.page.locator("#ws-table").get_by_text("${hit('template')}").locator("visible=true").first.wait_for()
    other.page.wait_for_timeout(300)
    assert other.page.evaluate("hits") == []
    assert wrong == []
    assert not [url for url in requests if url.endswith("/x")]  # nor was the picture asked for
