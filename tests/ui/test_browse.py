"""The list of samples: filters, pages, what its components are given; nothing here needs a browser."""

from typing import Any

import pytest
from starlette.requests import Request

from tests.builders import filled_workspace
from whyseg.curation.queries import SampleFilter
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Query, ReasoningType, State
from whyseg.ui import browse

BASE = "http://127.0.0.1:7860"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with filled_workspace(tmp_path_factory.mktemp("list") / "w", samples=browse.PAGE_SIZE + 2) as made:
        yield made


def request(path: str = "/app/", root: str = "", **headers: str) -> Request:
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": path, "root_path": root, "scheme": "http", "headers": sent}
    return Request({**scope, "query_string": b"", "server": ("127.0.0.1", 7860)})


def test_fields_that_say_any_restrict_nothing() -> None:
    assert browse.wanted("any", "any", "any", "  ") == SampleFilter()
    narrow = browse.wanted("submitted", "commonsense", "2", " cup ")
    assert narrow == SampleFilter(state=State.SUBMITTED, reasoning_type=ReasoningType.COMMONSENSE, depth=2, text="cup")


def test_a_page_has_pictures_rows_and_ids_of_the_same_samples(workspace: Workspace) -> None:
    first = browse.listing(workspace.store, SampleFilter(), "added", 1, BASE)
    assert first.summary == "26 samples · page 1 of 2"
    assert len(first.pictures) == len(first.rows) == len(first.ids) == browse.PAGE_SIZE
    head = workspace.store.head(first.ids[0])
    url, caption = first.pictures[0]
    assert url == f"{BASE}/api/v1/images/{head.sample.image_id}/thumbnail?side={browse.THUMBNAIL}"
    assert caption == "0.png · draft · 0 instances"
    assert first.rows[0][:3] == ["0.png", "draft", ""]
    assert len(first.rows[0]) == len(browse.HEADERS)


@pytest.mark.parametrize(("asked", "shown"), [(2, 2), (9, 2), (0, 1), (-3, 1)])
def test_pages_end_where_the_list_ends(workspace: Workspace, asked: int, shown: int) -> None:
    found = browse.listing(workspace.store, SampleFilter(), "added", asked, BASE)
    assert (found.number, len(found.ids)) == (shown, browse.PAGE_SIZE if shown == 1 else 2)


def test_a_changed_field_leads_to_the_first_page() -> None:
    fields = ["cup", "any", "any", "any", "added"]
    shown = {"fields": fields, "number": 3, "ids": []}
    assert browse.page_number(fields, shown, 0) == 3  # the tab was opened again
    assert browse.page_number(fields, shown, 1) == 4
    assert browse.page_number(["cups", "any", "any", "any", "added"], shown, 1) == 1
    assert browse.page_number(fields, browse.NOTHING, 0) == 1


def test_an_empty_list_says_so(workspace: Workspace) -> None:
    found = browse.listing(workspace.store, SampleFilter(text="no such thing"), "added", 3, BASE)
    assert (found.pictures, found.ids, found.summary) == ([], [], "no sample matches · page 1 of 1")


def test_a_question_stands_before_the_file_name(workspace: Workspace) -> None:
    last = browse.listing(workspace.store, SampleFilter(), "added", 2, BASE).ids[-1]
    head = workspace.store.head(last)
    asked = head.sample.model_copy(update={"query": Query(text="what is it?"), "no_target": True, "depth": 3})
    workspace.store.revise(last, asked, parent=head.revision.id, author="ann")
    found = browse.listing(workspace.store, SampleFilter(text="what is"), "updated", 1, BASE)
    assert found.pictures[0][1] == "what is it? · draft · no target"
    assert found.rows[0][2:7] == ["what is it?", "", "3", "no target", "r2"]


def test_thumbnails_have_the_address_that_the_browser_uses() -> None:
    assert browse.base_url(request(host="127.0.0.1:7860")) == "http://127.0.0.1:7860"
    behind = request(root="/team/app", host="example.org", x_forwarded_proto="https")
    assert browse.base_url(behind) == "https://example.org/team"


def test_what_is_picked_is_the_sample_in_that_place() -> None:
    assert browse.picked(["a", "b"], 1) == "b"  # of the gallery
    assert browse.picked(["a", "b"], [0, 4]) == "a"  # row and column of the table
    assert browse.picked(["a", "b"], 2) == ""  # the list has become shorter
    assert browse.picked([], None) == ""


def test_a_text_that_turns_the_line_around_stays_by_itself() -> None:
    """After U+202E everything is shown from right to left: "draft" would be read as something else."""
    assert browse.isolated("a cup") == "a cup"
    assert browse.isolated("x\u202ey") == "\u2068x\u202ey\u2069"
    assert browse.isolated("x\u2069\u202ey") == "\u2068x\u202ey\u2069"  # what would end the isolation is left out
