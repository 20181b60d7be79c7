"""Releases over HTTP, and what the tab's components are given; nothing here needs a browser."""

import io
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image as PilImage

from tests.builders import block
from tests.frozen import SIZE, add, revised
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample
from whyseg.schemas.user import Role
from whyseg.ui import releases as module
from whyseg.ui.roles import Member
from whyseg.ui.routes.releases import Comparisons

BASE = "http://127.0.0.1:7860"


@pytest.fixture
def samples(workspace: Workspace) -> list[Sample]:
    """Three samples of release v1; in v2 the first has another question and mask, and there is a fourth."""
    made = [add(workspace, number, split="train") for number in range(3)]
    Releases(workspace).create("v1", author="ann", states="any")
    made[0] = revised(workspace, made[0], "what else?", block(2, 5, 4, 6, SIZE))
    made.append(add(workspace, 3, split="test"))
    Releases(workspace).create("v2", author="ann", states="any")
    return made


def get(client: TestClient, path: str) -> Any:
    return client.get(f"/api/v1{path}").raise_for_status().json()


def test_releases_are_listed_shown_and_paged(client: TestClient, workspace: Workspace, samples: list[Sample]) -> None:
    releases = Releases(workspace)
    assert get(client, "/releases") == {"releases": [releases.get(name).plain() for name in ("v1", "v2")]}
    assert get(client, "/releases/v2")["splits"] == {"train": 3, "validation": 0, "test": 1}
    page = get(client, "/releases/v2/items?limit=3&offset=2&split=")
    assert page["total"] == 4
    assert page["items"] == [item.plain() for item in releases.items("v2")[2:]]
    tested = get(client, "/releases/v2/items?split=test")
    assert (tested["total"], [item["sample_id"] for item in tested["items"]]) == (1, [samples[3].id])


def test_a_diff_has_counts_and_a_page_of_each_kind(client: TestClient, samples: list[Sample]) -> None:
    found = get(client, "/releases/v1/diff/v2")
    assert found["counts"] == {"added": 1, "removed": 0, "changed": 1, "same": 2}
    assert [item["sample_id"] for item in found["added"]] == [samples[3].id]
    (change,) = found["changed"]
    assert (change["sample_id"], change["fields"]) == (samples[0].id, ["query", "instances"])
    assert (change["iou"], change["queries"]) == (0.5, ["what is 0?", "what else?"])
    later = get(client, "/releases/v1/diff/v2?offset=1")
    assert (later["counts"], later["added"], later["changed"]) == (found["counts"], [], [])


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/releases/v9", 404, "not_found"),
        ("/releases/v9/items", 404, "not_found"),
        ("/releases/v1/diff/v9", 404, "not_found"),
        ("/revisions/none/picture", 404, "not_found"),
        ("/releases/v1/items?split=nonsense", 422, "invalid_record"),
        ("/releases/v1/items?limit=0", 422, "invalid_record"),
        ("/releases/v1/items?offset=-1", 422, "invalid_record"),
        ("/releases/v1/diff/v2?limit=5000", 422, "invalid_record"),
        ("/revisions/none/picture?side=5000", 422, "invalid_record"),
    ],
)
def test_what_is_not_there_or_out_of_range_is_refused(
    client: TestClient, samples: list[Sample], path: str, status: int, kind: str
) -> None:
    answer = client.get(f"/api/v1{path}")
    assert (answer.status_code, answer.json()["error"]) == (status, kind)


def test_a_revisions_picture_shows_its_masks_and_never_changes(
    client: TestClient, workspace: Workspace, samples: list[Sample]
) -> None:
    head = workspace.store.head(samples[0].id).revision
    before = head.parent
    drawn = client.get(f"/api/v1/revisions/{head.id}/picture?side=50")
    assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/jpeg")
    assert "immutable" in drawn.headers["cache-control"]
    shown = np.array(PilImage.open(io.BytesIO(drawn.content)).convert("RGB")).astype(int)
    earlier = client.get(f"/api/v1/revisions/{before}/picture?side=50").content
    other = np.array(PilImage.open(io.BytesIO(earlier)).convert("RGB")).astype(int)
    assert shown.shape == (40, 50, 3)
    # the masks are rows 2–5, columns 3–8 before and 5–10 after: the pictures differ there, and nowhere far from it
    differs = np.abs(shown - other).max(2) > 60
    assert differs[2:6, 3:11].any()
    assert not differs[20:].any()
    again = client.get(f"/api/v1/revisions/{head.id}/picture?side=50", headers={"if-none-match": drawn.headers["etag"]})
    assert again.status_code == 304


def test_a_page_of_changes_has_two_pictures_and_a_row_each(workspace: Workspace, samples: list[Sample]) -> None:
    found = module.comparison(workspace, Comparisons(workspace), "v1", "v2", "changed", 5, BASE)
    assert (found.summary, found.page) == ("1 changed · 1 added · 0 removed · 2 the same", "page 1 of 1")
    (first, caption), (second, other) = found.pictures
    after = workspace.store.head(samples[0].id).revision
    assert first == f"{BASE}/api/v1/revisions/{after.parent}/picture?side={module.SIDE}"
    assert second == f"{BASE}/api/v1/revisions/{after.id}/picture?side={module.SIDE}"
    assert (caption, other) == ("before", "after · masks' IoU 0.500")
    assert found.rows == [["what else?", "what is 0?", "query, instances", "0.500", "train", samples[0].id]]
    assert len(found.rows[0]) == len(module.DIFFERENCES)


def test_a_page_of_added_samples_has_a_picture_each(workspace: Workspace, samples: list[Sample]) -> None:
    found = module.comparison(workspace, Comparisons(workspace), "v1", "v2", "added", 1, BASE)
    assert [caption for _, caption in found.pictures] == ["what is 3? · test"]
    assert found.rows == [["what is 3?", "", "", "", "test", samples[3].id]]
    nothing = module.comparison(workspace, Comparisons(workspace), "v1", "v2", "removed", 1, BASE)
    assert (nothing.pictures, nothing.rows) == ([], [])


def test_the_last_two_releases_are_compared_unless_others_are_chosen() -> None:
    assert module.chosen([], None, None) == (None, None)
    assert module.chosen(["a"], None, None) == (None, "a")
    assert module.chosen(["a", "b", "c"], None, None) == ("b", "c")
    assert module.chosen(["a", "b", "c"], "c", "a") == ("c", "a")
    assert module.chosen(["a", "b", "c"], "gone", "a") == ("b", "a")


def test_a_row_has_what_its_head_says(workspace: Workspace, samples: list[Sample]) -> None:
    release = Releases(workspace).get("v2")
    shown = dict(zip(module.HEADERS, module.row(release), strict=True))
    assert (shown["release"], shown["samples"], shown["train"], shown["test"], shown["by"]) == (
        "v2",
        "4",
        "3",
        "1",
        "ann",
    )
    assert release.hash in module.details(release)


def tab(workspace: Workspace) -> Any:
    """The tab without its components, which stand for themselves when an event names its target."""
    made: Any = object.__new__(module.ReleasesTab)
    made.workspace, made.back, made.next = workspace, object(), object()
    made.releases, made.comparisons = Releases(workspace), Comparisons(workspace)
    return made


def test_a_new_release_is_shown_whatever_was_chosen(workspace: Workspace, samples: list[Sample]) -> None:
    made = tab(workspace)
    first = made._show(None, None, "changed", module.NOTHING, None, BASE)
    assert first[-1] == {"fields": ["v1", "v2", "changed"], "number": 1, "names": ["v1", "v2"]}
    chosen = made._show("v2", "v1", "added", first[-1], None, BASE)
    assert chosen[-1]["fields"] == ["v2", "v1", "added"]
    Releases(workspace).create("v3", author="ann", states="any")
    assert made._show("v2", "v1", "added", chosen[-1], None, BASE)[-1]["fields"] == ["v2", "v3", "added"]


def asked_by(name: str, role: Role = Role.CURATOR) -> Any:
    """What Gradio hands on of a request that the gate has let through."""
    return SimpleNamespace(request=SimpleNamespace(scope={"member": Member(name, role)}))


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.REVIEWER])
def test_only_curators_freeze(workspace: Workspace, samples: list[Sample], role: Role) -> None:
    assert "does not allow this: make releases" in tab(workspace).freeze("v3", "any", asked_by("rey", role))[0]
    assert [release.name for release in Releases(workspace).all()] == ["v1", "v2"]


def test_the_form_freezes_and_says_why_it_does_not(workspace: Workspace, samples: list[Sample]) -> None:
    made, ann = tab(workspace), asked_by("ann")
    assert made.freeze(" v3 ", "any", ann) == ("v3: 4 samples of 4 images are frozen", "")
    assert Releases(workspace).get("v3").author == "ann"
    assert made.freeze("v4", "any", asked_by("rey"))[1] == ""
    assert Releases(workspace).get("v4").author == "rey"
    assert made.freeze("v3", "any", ann)[0].startswith("release v3 exists already")
    assert made.freeze("v5", "accepted", ann)[0].startswith("there is nothing to freeze")


def test_a_broken_picture_is_told_in_the_form(workspace: Workspace, samples: list[Sample]) -> None:
    new = add(workspace, 9)
    workspace.blobs.path(new.image_id).write_bytes(b"broken")
    told, _ = tab(workspace).freeze("v3", "any", asked_by("ann"))
    assert "9.png" in told
