import threading
import time
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from pycocotools import mask as coco

from whyseg.curation.outlines import rasterize
from whyseg.schemas import Mask, Sample

SIZE = (30, 40)


def ask(http: TestClient, sample: Sample, **more: Any) -> Any:
    body = {"client": "tab", "seq": 1, "image_id": sample.image_id, "points": [[20, 15, 1]], **more}
    return http.post("/api/v1/click", json=body)


def pixels_of(crop: Any) -> Any:
    """Decode a crop to the whole image's pixels."""
    x, y, width, height = crop["bbox"]
    full = np.zeros(SIZE, bool)
    full[y : y + height, x : x + width] = coco.decode({"size": [height, width], "counts": crop["counts"].encode()})
    return full


def disc(x: int, y: int, radius: float) -> Any:
    yy, xx = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.hypot(xx - x, yy - y) <= radius


def test_a_click_is_answered_with_the_best_candidate_as_a_crop(client: TestClient, sample: Sample) -> None:
    answer = ask(client, sample)
    told = answer.json()
    assert (answer.status_code, told["seq"]) == (200, 1)
    np.testing.assert_array_equal(pixels_of(told["best"]), disc(20, 15, 8))  # the fake's first disc
    assert told["best"]["bbox"] == [12, 7, 17, 17]
    assert told["scores"] == sorted(told["scores"], reverse=True)
    assert told["best"]["score"] == told["scores"][0]
    assert set(told["ms"]) == {"wait", "model", "enlarge", "rle"}


def test_the_other_candidates_are_there_when_asked_for(client: TestClient, sample: Sample) -> None:
    ask(client, sample, seq=7)
    crop = client.get("/api/v1/click/tab/7/1").json()
    np.testing.assert_array_equal(pixels_of(crop), disc(20, 15, 4))
    for gone in ("tab/7/3", "tab/8/0", "other/7/0"):
        assert client.get(f"/api/v1/click/{gone}").json()["error"] == "not_found"


def test_a_refinement_starts_from_the_chosen_candidate(client: TestClient, sample: Sample) -> None:
    # The fake adds the pixels of the logits it is given, a quarter of the size: the large disc stays in the answer.
    ask(client, sample, seq=1)
    answer = ask(client, sample, seq=2, points=[[20, 15, 1], [2, 2, 1]], refine={"seq": 1, "candidate": 2})
    found = pixels_of(answer.json()["best"])
    assert found[2, 2]
    assert found[15, 30]  # 10 from the first click: inside the disc of 12, outside that of 8


def test_a_click_that_was_overtaken_has_no_answer(client: TestClient, sample: Sample) -> None:
    assert ask(client, sample, seq=5).status_code == 200
    late = ask(client, sample, seq=4)
    assert (late.status_code, late.content) == (204, b"")


def test_twenty_clicks_at_once_are_all_answered_and_the_last_has_a_mask(client: TestClient, sample: Sample) -> None:
    codes: dict[int, int] = {}

    def one(seq: int) -> None:
        codes[seq] = ask(client, sample, seq=seq).status_code

    threads = [threading.Thread(target=one, args=(seq,)) for seq in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes[20] == 200
    assert set(codes.values()) <= {200, 204}


@pytest.mark.parametrize(
    "wrong",
    [
        {"points": []},
        {"points": [[40, 15, 1]]},
        {"points": [[20, 15, 2]]},
        {"points": [[20, 15]]},
        {"box": [9, 1, 1, 9]},
        {"box": [50, 50, 60, 60], "points": []},
        {"box": [1, 2, 3]},
        {"seq": -1},
        {"client": ""},
        {"refine": {"seq": 1}},
        {"colour": "red"},
    ],
)
def test_a_prompt_that_makes_no_sense_is_refused(client: TestClient, sample: Sample, wrong: dict[str, Any]) -> None:
    answer = ask(client, sample, **wrong)
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_record")


def test_a_click_on_an_unknown_image_is_not_found(client: TestClient, sample: Sample) -> None:
    answer = ask(client, sample, image_id="0" * 64)
    assert (answer.status_code, answer.json()["error"], answer.json()["kind"]) == (404, "not_found", "image")


def test_images_are_made_ready_ahead(client: TestClient, sample: Sample) -> None:
    body = {"image_ids": [sample.image_id]}
    first = client.post("/api/v1/encode", json=body).json()["images"][sample.image_id]
    assert first["state"] in ("queued", "encoding", "ready")
    deadline = time.monotonic() + 10
    while client.post("/api/v1/encode", json=body).json()["images"][sample.image_id]["state"] != "ready":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert client.post("/api/v1/encode", json={"image_ids": ["x"]}).status_code == 404


def test_an_image_that_cannot_be_read_fails_its_clicks_and_says_why(client: TestClient, workspace: Any) -> None:
    from tests.pictures import encoded, pixels
    from tests.ui.support import add_picture

    sample = add_picture(workspace, encoded(pixels(30, 40, seed=9)), "cup.png")
    workspace.blobs.path(sample.image_id).write_bytes(b"\x89PNG\r\n\x1a\n")
    answer = ask(client, sample)
    assert (answer.status_code, answer.json()["error"]) == (415, "refused_image")


def test_a_model_that_fails_is_a_503(client: TestClient, sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fakes import FakeSegmenter

    def broken(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(FakeSegmenter, "propose", broken)
    answer = ask(client, sample)
    assert (answer.status_code, answer.json()["error"]) == (503, "model_failed")
    assert "out of memory" in answer.json()["message"]


def test_an_outline_is_exact_and_a_tolerance_spares_vertices(client: TestClient) -> None:
    mask = Mask.encode(disc(20, 15, 12))
    exact = client.post("/api/v1/outline", json={"mask": mask.plain(), "tolerance": 0}).json()
    assert exact["iou"] == 1.0
    assert rasterize(exact["rings"], SIZE) == mask
    simple = client.post("/api/v1/outline", json={"mask": mask.plain(), "tolerance": 1}).json()
    assert simple["vertices"] == len(simple["rings"][0]) < exact["vertices"] / 2
    assert simple["iou"] > 0.9


def test_a_mask_too_ragged_to_outline_is_refused(client: TestClient) -> None:
    noise = Mask.encode(np.random.default_rng(0).random((1000, 1000)) < 0.5)
    assert client.post("/api/v1/outline", json={"mask": noise.plain()}).json()["error"] == "invalid_record"


def test_the_server_says_what_it_is(client: TestClient, workspace: Any) -> None:
    from whyseg import __version__

    assert client.get("/api/v1/info").json() == {
        "version": __version__,
        "workspace": str(workspace.path.resolve()),
        "segmenter": {"name": "fake", "model": "fake/discs", "reason": "a test"},
        "drafter": {
            "name": "template",
            "model": "template-1",
            "reason": "rules that hold for every labelled object, no model",
        },
        "user": "local",
        "role": "curator",
        "team": False,
    }
    assert client.get("/healthz").json() == {"status": "ok"}
