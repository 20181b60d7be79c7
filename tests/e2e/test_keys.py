"""Keys: none while somebody types, buttons keep theirs, and every one can be given to something else."""

import pytest

from tests.e2e.desk import Desk


def tool(desk: Desk) -> str:
    return str(desk.page.evaluate("stage.toolName"))


def test_tools_and_view_follow_their_keys(desk: Desk) -> None:
    for key, name in (("b", "brush"), ("e", "eraser"), ("p", "polygon"), ("v", "move"), ("h", "move"), ("s", "smart")):
        desk.keys(key)
        assert tool(desk) == name
        assert desk.page.locator(".ws-tools [aria-pressed=true]").get_attribute("data-act") == name
    before = desk.page.evaluate("stage.view.k")
    desk.keys("+")
    assert desk.page.evaluate("stage.view.k") == pytest.approx(1.5 * before)
    desk.keys("f")
    assert desk.page.evaluate("stage.view.k") == pytest.approx(before)


def test_no_key_acts_while_somebody_types(desk: Desk) -> None:
    desk.ask(200, 200)
    fields = ("#ws-query textarea", "#ws-alternates textarea", "#ws-hops textarea", ".ws-label")
    for field in fields:
        desk.page.locator(field).click()
        desk.page.mouse.move(*desk.place(300, 200))  # hovering does not take the focus from a text
        desk.page.keyboard.type("sbepi12[]fadq")
        desk.keys("Space", "Backspace", "Delete", "Control+z")
        assert tool(desk) == "smart"
        assert len(desk.state()["instances"]) == 1
        assert desk.page.evaluate("stage.active.work.answer.chosen") == 0
        assert desk.page.evaluate("stage.view.fitted")
        desk.keys("Escape")
        assert desk.page.evaluate("document.activeElement === stage.surface")


def test_no_key_acts_while_an_input_method_composes(desk: Desk) -> None:
    for composing in ("isComposing: true", "keyCode: 229"):
        desk.page.evaluate(f"stage.surface.dispatchEvent(new KeyboardEvent('keydown', "
                           f"{{ key: 'b', code: 'KeyB', bubbles: true, {composing} }}))")  # fmt: skip
        assert tool(desk) == "smart"


def test_altgr_types_a_character_and_is_no_shortcut(desk: Desk) -> None:
    press = "event => stage.surface.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, ...event }))"
    desk.keys("b")
    radius = desk.page.evaluate("stage.tool.constructor.radius")
    bracket = {"key": "]", "code": "Digit9", "ctrlKey": True, "altKey": True, "modifierAltGraph": True}
    desk.page.evaluate(press, bracket)
    assert desk.page.evaluate("stage.tool.constructor.radius") == pytest.approx(1.25 * radius)
    desk.keys("[")


def test_a_focused_button_keeps_space_enter_and_tab(desk: Desk) -> None:
    desk.ask(200, 200)
    desk.page.mouse.move(600, 10)  # off the canvas, which takes the focus when the pointer enters
    desk.page.locator(".ws-tools [data-act=brush]").focus()
    desk.keys("Space")
    assert tool(desk) == "brush"
    desk.page.locator(".ws-tools [data-act=smart]").focus()
    desk.keys("Enter")
    assert tool(desk) == "smart"
    assert desk.page.evaluate("stage.present.active") == 1  # Enter did not finish the instance
    desk.keys("Tab")
    assert desk.page.evaluate("document.activeElement.dataset.act") == "brush"
    assert desk.page.evaluate("stage.active.work.answer.chosen") == 0
    desk.keys("e")
    assert tool(desk) == "eraser"  # other keys act


def test_keys_can_be_remapped_and_conflicts_are_refused(desk: Desk) -> None:
    desk.keys("?")
    brush = desk.page.locator(".ws-key[data-action=brush]")
    brush.click()
    desk.keys("e")
    assert "E is already “Eraser”" in str(desk.page.locator(".ws-help-message").text_content())
    assert brush.text_content() == "B"
    brush.click()
    desk.keys("Control+w")
    assert "The browser keeps Ctrl W for itself" in str(desk.page.locator(".ws-help-message").text_content())
    brush.click()
    desk.keys("Escape")  # leaves it as it was, and the panel open
    assert brush.text_content() == "B"
    brush.click()
    desk.keys("x")
    assert brush.text_content() == "X"
    desk.keys("Escape")
    desk.page.locator(".ws-help").wait_for(state="hidden")
    desk.keys("b")
    assert tool(desk) == "smart"
    desk.keys("x")
    assert tool(desk) == "brush"
    assert desk.page.locator(".ws-tools [data-act=brush]").get_attribute("title") == "Brush (X)"

    desk.load(desk.page.evaluate("desk.id"))  # kept in this browser
    desk.page.mouse.move(*desk.place(5, 5))
    desk.keys("x")
    assert tool(desk) == "brush"
    desk.keys("?")
    desk.page.get_by_role("button", name="Reset all keys").click()
    desk.keys("Escape")
    desk.keys("s", "x")
    assert tool(desk) == "smart"
    desk.keys("b")
    assert tool(desk) == "brush"
