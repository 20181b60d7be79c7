"""Clicks, candidates, brush, polygons, ignore region: what is painted, what it is made of, and undo."""

from typing import Any

import numpy as np

from tests.e2e.conftest import SIZE
from tests.e2e.desk import Desk, disc
from whyseg.curation.outlines import rasterize
from whyseg.schemas import Mask

BEST, SECOND, THIRD = 30, 15, 45  # radii of the fake segmenter's discs


def point(record: Any, number: int = 0, index: int = -1) -> tuple[float, float]:
    where = record["instances"][number]["prompt"]["points"][index]
    return where["x"], where["y"]


def test_what_is_painted_is_what_is_saved(desk: Desk) -> None:
    desk.ask(320, 240)
    desk.keys("2")
    desk.wait("stage.active.work.answer.chosen === 1")
    record = desk.saved()["sample"]
    mask = Mask.parse(record["instances"][0]["mask"]).decode()
    assert (mask == disc(SIZE, *point(record), SECOND)).all()
    assert (desk.painted() == desk.expected(mask)).all()
    assert record["instances"][0]["origin"] == {"kind": "click", "model": "fake/discs", "retouched": False}
    assert desk.state() == record


def test_after_twenty_fast_clicks_the_painted_mask_is_the_last(desk: Desk) -> None:
    sent = desk.prompts()
    for number in range(20):  # far enough apart that none falls on the mark of another
        desk.click(40 + 110 * (number % 5), 40 + 90 * (number // 5))
    desk.wait("!stage.prompter.pending && stage.active.prompt.points.length === 20")
    assert len(sent[-1]["points"]) == 20
    wanted = np.zeros(SIZE, bool)
    for x, y, _ in sent[-1]["points"]:
        wanted |= disc(SIZE, x, y, BEST)
    # What the fake adds for a refinement lies below the discs, but for the coarse edge of its logits.
    assert (desk.mask() & wanted).sum() == wanted.sum()
    assert (desk.painted() == desk.expected(desk.mask())).all()
    assert desk.mask().sum() < 1.1 * wanted.sum()


def test_a_click_refines_the_candidate_that_was_chosen(desk: Desk) -> None:
    sent = desk.prompts()
    desk.ask(200, 200)
    first = sent[-1]["seq"]
    assert sent[-1]["refine"] is None
    desk.keys("Tab", "Tab")
    desk.wait("stage.active.work.answer.chosen === 2")
    assert desk.page.locator(".ws-candidates button[aria-pressed=true]").text_content() == "3 · 0.70"
    desk.ask(300, 200)
    assert sent[-1]["refine"] == {"seq": first, "candidate": 2}
    # The fake adds the refined candidate's disc, of radius 45, to those of radius 30.
    assert desk.mask()[200, 200 - THIRD + 3]
    desk.keys("Control+z")
    desk.wait("stage.active.prompt.points.length === 1")
    assert (desk.mask() == disc(SIZE, *point(desk.state()), THIRD)).all()
    desk.keys("1")
    desk.wait("stage.active.work.answer.chosen === 0")
    desk.ask(400, 200)
    assert sent[-1]["refine"] == {"seq": first, "candidate": 0}


def test_finished_instances_are_taken_up_again_with_their_prompts(desk: Desk) -> None:
    sent = desk.prompts()
    desk.ask(100, 100)
    desk.keys("Enter")
    desk.ask(400, 300)
    assert [i["id"] for i in desk.state()["instances"]] == [1, 2]
    desk.page.locator(".ws-list li").nth(0).locator(".ws-colour").click()
    desk.ask(150, 100)
    assert [[round(v) for v in p] for p in sent[-1]["points"]] == [[100, 100, 1], [150, 100, 1]]
    assert len(desk.state()["instances"]) == 2
    desk.keys("v")
    desk.click(400, 300)
    desk.wait("stage.present.active === 2")
    desk.keys("Delete")
    assert [i["id"] for i in desk.state()["instances"]] == [1]
    desk.keys("Control+z")
    assert [i["id"] for i in desk.state()["instances"]] == [1, 2]


def test_a_stroke_sends_nothing_until_it_ends_and_can_be_undone(desk: Desk) -> None:
    requests: list[str] = []
    desk.saved()
    desk.keys("b", "]")
    assert desk.page.evaluate("stage.tool.constructor.radius") == 15
    desk.page.mouse.move(*desk.place(200, 200))
    desk.page.on("request", lambda request: requests.append(request.url))
    desk.page.mouse.down()
    desk.page.mouse.move(*desk.place(300, 200), steps=8)
    desk.page.wait_for_timeout(100)
    assert requests == []
    assert desk.painted()[tuple(int(v) for v in desk.page.evaluate("stage.view.toScreen([250, 200]).reverse()"))]
    desk.page.mouse.up()
    ys, xs = np.mgrid[: SIZE[0], : SIZE[1]]
    ideal = np.hypot(xs - np.clip(xs, 200, 300), ys - 200) <= 14.9  # 15 less what lies between two stamps
    assert (desk.mask() & ideal).sum() / (desk.mask() | ideal).sum() > 0.97
    assert desk.state()["instances"][0]["origin"] == {"kind": "brush", "model": None, "retouched": False}
    assert (desk.painted() == desk.expected(desk.mask())).all()
    painted = desk.mask()
    desk.keys("e")
    desk.drag((250, 150), (250, 250))
    erased = desk.mask()
    assert erased.sum() < painted.sum()
    assert not erased[200, 250]
    assert (desk.painted() == desk.expected(erased)).all()
    desk.keys("Control+z")
    assert (desk.mask() == painted).all()
    assert (desk.painted() == desk.expected(painted)).all()
    desk.keys("Control+z")
    assert desk.state()["instances"] == []
    assert not desk.painted().any()
    desk.keys("Control+Shift+z", "Control+y")
    assert (desk.mask() == erased).all()
    assert (Mask.parse(desk.saved()["sample"]["instances"][0]["mask"]).decode() == erased).all()
    desk.keys("[")


def test_a_stroke_of_less_than_a_frame_is_painted_too(desk: Desk) -> None:
    desk.ask(200, 200)
    desk.keys("e")
    stroke = """() => {
        const at = x => ({ at: [x, 200], screen: stage.view.toScreen([x, 200]), event: { button: 0 } });
        stage.tool.down(at(150));
        stage.tool.move(at(185));
        stage.tool.up(at(185));
    }"""
    before = desk.mask().sum()
    desk.page.evaluate(stroke)
    assert desk.mask().sum() < before
    assert (desk.painted() == desk.expected(desk.mask())).all()


def test_a_click_after_a_stroke_keeps_the_stroke(desk: Desk) -> None:
    desk.ask(200, 200)
    model = desk.mask()
    desk.keys("b")
    desk.drag((300, 300), (340, 300))
    desk.keys("e")
    desk.drag((185, 200), (190, 200))
    by_hand = desk.mask()
    added, erased = by_hand & ~model, model & ~by_hand
    assert added.any()
    assert erased.any()
    desk.keys("s")
    desk.ask(420, 200)
    mask = desk.mask()
    assert mask[200, 420]
    assert (mask & added).sum() == added.sum()
    assert not (mask & erased).any()
    origin = {"kind": "click", "model": "fake/discs", "retouched": True}
    assert desk.saved()["sample"]["instances"][0]["origin"] == origin
    # The page is opened again: what was the model's part is found out by asking its prompt once more.
    desk.open(desk.page.evaluate("desk.id"))
    desk.page.evaluate("() => { stage.activate(1); stage.takeFocus(true); }")
    desk.ask(420, 320)
    mask = desk.mask()
    assert mask[320, 420]
    assert (mask & added).sum() == added.sum()
    assert not (mask & erased).any()


def test_a_polygon_has_exactly_the_pixels_whose_centres_it_encloses(desk: Desk) -> None:
    corners = [(100.2, 80.7), (300.4, 95.1), (260.9, 300.3), (90.5, 250.8)]
    desk.keys("p")
    for x, y in corners:
        desk.click(x, y)
    desk.click(*corners[0])
    instance = desk.state()["instances"][0]
    assert instance["origin"] == {"kind": "polygon", "model": None, "retouched": False}
    assert np.allclose(instance["outline"][0], np.array(corners) + 0.5, atol=0.02)
    assert (desk.mask() == rasterize(instance["outline"], SIZE).decode()).all()

    desk.drag(corners[1], (400, 60))  # a corner is moved
    moved = desk.state()["instances"][0]
    assert np.allclose(moved["outline"][0][1], [400.5, 60.5], atol=0.02)
    assert (desk.mask() == rasterize(moved["outline"], SIZE).decode()).all()
    assert (desk.painted() == desk.expected(desk.mask())).all()

    desk.drag((95.4, 165.8), (40, 160))  # the edge between the last and the first corner gets a new one
    assert len(desk.state()["instances"][0]["outline"][0]) == 5
    desk.keys("Delete")
    assert desk.state()["instances"][0] == moved

    for x, y in ((180, 150), (220, 150), (200, 190)):  # inside: a hole
        desk.click(x, y)
    desk.keys("Enter")
    holed = desk.state()["instances"][0]
    assert len(holed["outline"]) == 2
    assert not desk.mask()[160, 200]
    assert (desk.mask() == rasterize(holed["outline"], SIZE).decode()).all()
    for _ in range(4):  # the hole and its three corners
        desk.keys("Control+z")
    assert desk.state()["instances"][0] == moved
    assert Mask.parse(desk.saved()["sample"]["instances"][0]["mask"]) == rasterize(moved["outline"], SIZE)


def test_a_mask_becomes_an_outline_only_when_somebody_takes_it(desk: Desk) -> None:
    desk.ask(320, 240)
    before = desk.state()
    desk.keys("p")
    desk.wait("stage.tool.draft && stage.tool.draft.iou")
    assert desk.state() == before
    desk.page.get_by_label("Simplify").fill("0")
    desk.wait("stage.tool.draft.iou === 1")
    exact = desk.page.evaluate("stage.tool.draft.vertices")
    desk.page.get_by_label("Simplify").fill("7")
    desk.wait("stage.tool.draft.iou < 1")
    assert desk.page.evaluate("stage.tool.draft.vertices") < exact
    assert desk.state() == before
    kept = desk.page.evaluate("stage.tool.draft.iou")
    assert f"keep IoU {kept:.3f}" in str(desk.page.locator(".ws-options").text_content())
    desk.page.get_by_role("button", name="Use this outline").click()
    instance = desk.state()["instances"][0]
    taken = Mask.parse(instance["mask"])
    assert taken == rasterize(instance["outline"], SIZE)
    assert abs(taken.iou(Mask.parse(before["instances"][0]["mask"])) - kept) < 1e-9
    assert instance["origin"]["retouched"]
    corners = sum(map(len, instance["outline"]))
    assert f"{corners} corners" in str(desk.page.locator(".ws-options").text_content())
    desk.saved()

    desk.page.get_by_label("Simplify").fill("9")  # once more, and thought better of
    desk.wait("stage.tool.wanted && stage.tool.draft.iou < 1")
    desk.page.mouse.move(*desk.place(10, 10))
    desk.keys("Escape")
    assert not desk.page.evaluate("stage.tool.wanted")
    assert desk.state()["instances"][0] == instance
    desk.keys("Control+z")
    assert desk.state() == before


def test_the_ignore_region_is_painted_apart_from_the_instances(desk: Desk) -> None:
    desk.keys("i")
    desk.drag((100, 100), (160, 100))
    desk.keys("p")
    for x, y in ((300, 300), (360, 300), (330, 360)):
        desk.click(x, y)
    desk.keys("Enter")
    record = desk.saved()["sample"]
    ignore = Mask.parse(record["ignore"]).decode()
    assert record["instances"] == []
    assert ignore[100, 130]
    assert ignore[320, 330]
    desk.keys("Escape", "s")
    desk.ask(500, 200)
    assert len(desk.state()["instances"]) == 1
    assert (Mask.parse(desk.state()["ignore"]).decode() == ignore).all()
    desk.page.locator(".ws-list li", has_text="Ignore region").locator(".ws-bin").click()
    assert desk.state()["ignore"] is None
    desk.keys("Control+z")
    assert desk.state()["ignore"] is not None


def test_labels_and_visibility_belong_to_the_list(desk: Desk) -> None:
    desk.ask(100, 100)
    desk.keys("l")
    desk.page.keyboard.type("left cup")
    desk.keys("Enter")
    assert desk.state()["instances"][0]["label"] == "left cup"
    desk.keys("Control+z")  # all of its letters at once
    assert desk.state()["instances"][0]["label"] == ""
    assert desk.page.locator(".ws-label").input_value() == ""
    desk.page.locator(".ws-eye").click()
    assert not desk.painted().any()
    desk.page.locator(".ws-eye").click()
    assert (desk.painted() == desk.expected(desk.mask())).all()
    desk.page.mouse.move(*desk.place(10, 10))
    desk.page.keyboard.down("q")
    assert not desk.painted().any()
    desk.page.keyboard.up("q")
    assert desk.painted().any()
