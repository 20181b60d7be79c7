"""Every script in examples/ runs as its own docstring says."""

import ast
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PilImage

from tests.proposed import add_proposal
from tests.released import accepted, add_sample
from whyseg.curation.proposals import Proposals
from whyseg.curation.signals import settle_model_findings
from whyseg.curation.times import now
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Finding, Mask, State

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def test_a_picture_is_annotated_from_python(tmp_path: Path) -> None:
    picture = np.full((60, 80, 3), 230, np.uint8)
    picture[20:40, 30:60] = (200, 30, 30)
    PilImage.fromarray(picture).save(tmp_path / "cup.png")
    command = [sys.executable, str(EXAMPLES / "01_annotate.py"), str(tmp_path / "cup.png"), "45,30"]
    command += ["--segmenter", "grabcut", "--workspace", str(tmp_path / "w")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "imported: 1 added" in done.stdout
    assert "revision 2 is submitted" in done.stdout
    assert "found again: True; problems: 0" in done.stdout


def test_many_answers_become_one_mask(tmp_path: Path) -> None:
    def said(*pixels: int) -> dict[str, object]:
        mask = Mask.encode(np.array([[x in pixels for x in range(8)]]))
        return {"parsed": True, "objects": [{"rle": mask.plain(), "score": 0.5, "label": "cup"}]}

    answers = [said(0, 1, 2, 3), said(0, 1, 2, 3), said(1, 2, 3), {"parsed": False}]
    (tmp_path / "c.json").write_text(json.dumps({"size": [1, 8], "answers": answers}))
    command = [sys.executable, str(EXAMPLES / "04_vote.py"), str(tmp_path / "c.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # 3 of 4 pixels: apart at an IoU of 0.85, together at 0.75, where pixel 0 has two thirds of the votes.
    assert "best: mask, 4 pixels, agreement 0.67" in done.stdout
    assert "consensus: mask, 4 pixels, agreement 1.00" in done.stdout


def loaded(name: str) -> Any:
    """Return a script as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def moved(mask: Mask, by: int) -> Mask:
    return Mask.encode(np.roll(mask.decode(), by, axis=1))


def test_what_a_policy_finds_is_accepted_mended_or_dismissed(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        store, truths, keys = workspace.store, dict[str, Any](), list[str]()
        right = [add_sample(workspace, number, accept=False) for number in range(4)]
        for number, sample in enumerate(right):
            mask, key = sample.instances[0].mask, sample.id
            if number != 2:  # that one is no mistake
                query = sample.query.text if sample.query else ""
                told = [{"label": "disc", "rle": mask.plain()}]
                truths[key] = {"query": query, "is_sentence": True, "hops": sample.hops, "instances": told}
                wrong = sample.instances[0].model_copy(update={"mask": moved(mask, 9)})
                changed = sample.model_copy(update={"instances": (wrong,)})
                store.revise(key, changed, parent=store.head(key).revision.id, author="ann")
            accepted(store, key)
            if number != 3:  # that one is not found
                add_proposal(store, key, mask if number == 0 else moved(mask, 20))
                words = {"severity": "error", "message": "they see another thing", "created_at": now()}
                found = Finding.parse({"id": f"f{number}", "kind": "wrong_target", "sample_id": key, **words})
                settle_model_findings(store, [key], [found])
            keys.append(key)
        assert loaded("05_full_loop").fix(store, truths) == {"accepted": 1, "mended": 1, "dismissed": 1}
        heads = [store.head(key) for key in keys]
        assert [head.state for head in heads] == [State.SUBMITTED] * 2 + [State.ACCEPTED] * 2
        same = [head.sample.target() == sample.target() for head, sample in zip(heads, right, strict=True)]
        assert same == [True, True, True, False]
        assert [one.state for key in keys[:3] for one in Proposals(store).of(key)] == ["accepted", "stale", "dismissed"]
        assert heads[1].revision.author == "cleo"


@pytest.mark.slow
def test_the_whole_circle_runs_from_one_script(tmp_path: Path) -> None:
    preset = (EXAMPLES.parent / "training" / "configs" / "world_cpu.toml").read_text()
    for line, short in (("n = 32", "n = 8"), ("keep = 16", "keep = 4"), ("_step = 8", "_step = 2")):
        preset = preset.replace(line, short)
    (tmp_path / "short.toml").write_text(preset.replace("max_completion_tokens = 256", "max_completion_tokens = 96"))
    command = [sys.executable, str(EXAMPLES / "05_full_loop.py"), str(tmp_path / "loop"), "--samples", "24"]
    command += ["--errors", "0.5", "--updates", "2", "--steps", "2", "--held-out", "6"]
    command += ["--preset", str(tmp_path / "short.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = dict(re.findall(r"^(\S.{,22}\S) {2,}(.+)$", done.stdout, flags=re.MULTILINE))
    assert said["reviewed and accepted"] == "24"
    # A policy that knows the world, however little it was trained further, finds some of a dozen mistakes.
    fixed = ast.literal_eval(said["fixed"])
    assert fixed["accepted"] + fixed["mended"] >= 1
    assert said["release v2"].endswith(f" {fixed['accepted'] + fixed['mended']} changed")
    assert "difference" in said
    assert list((tmp_path / "loop" / "v2").rglob("*.parquet"))


def test_every_example_is_tested() -> None:
    tested = Path(__file__).read_text()
    assert all(path.name in tested for path in EXAMPLES.glob("*.py"))
