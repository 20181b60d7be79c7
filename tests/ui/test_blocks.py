"""The Gradio pages as they are built: what they may and may not contain."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.builders import filled_workspace
from whyseg.schemas import ReasoningType
from whyseg.ui import annotate, blocks

BUILD = """
import json, sys
from pathlib import Path
from whyseg.curation.workspace import Workspace
from whyseg.ui.blocks import build_blocks
with Workspace.open(Path(sys.argv[1])) as workspace:
    print(json.dumps(build_blocks(workspace).get_config_file(), default=str))
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a browser is told to show; built in a process of its own, since Gradio leaves an event loop behind."""
    path = tmp_path_factory.mktemp("pages") / "w"
    filled_workspace(path).close()
    done = subprocess.run([sys.executable, "-c", BUILD, str(path)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def components(config: Any, kind: str) -> list[Any]:
    return [one for one in config["components"] if one["type"] == kind]


def test_no_template_holds_anything_that_is_run(config: Any) -> None:
    """Gradio evaluates ``${…}`` and ``{{…}}`` in a template; ours are constants without any."""
    found = components(config, "html")
    assert len(found) >= 5
    for one in found:
        assert "$" not in one["props"]["html_template"]
        assert "{{" not in one["props"]["html_template"]
        assert not one["props"].get("value")


def test_no_component_keeps_a_connection_or_runs_markdown(config: Any) -> None:
    """A ``gr.State`` holds one of the six connections that a browser has, for as long as the tab is open."""
    kinds = {one["type"] for one in config["components"]}
    assert not kinds & {"state", "markdown", "timer", "chatbot"}
    assert {one["props"]["datatype"] for one in components(config, "dataframe")} == {"str"}


def test_the_annotation_page_asks_gradio_for_nothing(config: Any) -> None:
    names = {one["id"]: one["props"].get("elem_id") for one in config["components"]}
    told = [one for one in config["dependencies"] if any(names.get(key) == "ws-canvas" for key, _ in one["targets"])]
    assert len(told) == 1
    assert (told[0]["backend_fn"], told[0]["js"]) == (False, annotate.FIELDS)
    assert all(one["api_visibility"] == "private" and one["queue"] is False for one in config["dependencies"])


def test_every_reasoning_type_and_depth_has_a_line_and_examples_of_its_own() -> None:
    types, depths = annotate.guides(), annotate.depths()
    assert set(types) == {kind.value for kind in ReasoningType}
    assert set(depths) == {"1", "2", "3", "4"}
    for found in (types, depths):
        for field in ("name", "line", "meaning"):
            assert len({guide[field] for guide in found.values()}) == 4
        assert len({example["question"] for guide in found.values() for example in guide["good"]}) == 8
        assert json.loads(json.dumps(found)) == found


def test_the_styles_have_the_colours_of_the_theme() -> None:
    css = (Path(blocks.__file__).parent / "static" / "app.css").read_text()
    for colour in (blocks.BACK, blocks.PANEL, blocks.RAISED, blocks.LINE, blocks.TEXT, blocks.DIM, blocks.ACCENT):
        assert colour in css
