"""The packaged policy: a tiny one, warmed up on the plain world, for trials and tests that have no time to warm up.

``python -m whyseg.training.tiny_world OUT`` makes it: some ten minutes of one processor. ``whyseg … --policy
tiny-world`` asks it, and ``whyseg train world_cpu --policy tiny-world`` goes on from it.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch
from transformers import AutoModelForImageTextToText

from whyseg.training.launch import masks_of
from whyseg.training.policies import CARD, TINY_WORLD, PolicyCard, open_policy
from whyseg.training.presets import load_preset
from whyseg.training.processors import load_processor
from whyseg.training.tiny_policy import make_policy
from whyseg.training.warm_up import on_world
from whyseg.training.world.dataset import PLAIN, samples
from whyseg.training.world.exam import examine

_HELD_OUT = 2**31  # the seed of the scenes that it is examined on
_QUESTIONS = 200
_FACTS = "model.json"


def make(out: Path, seed: int) -> None:
    """Make a policy from nothing, warm it up and write it, with what it is and how well it does."""
    with tempfile.TemporaryDirectory() as between:
        make_policy(Path(between) / "untrained", seed=seed)
        on_world(Path(between) / "untrained", Path(between) / "warm", side=PLAIN.side, seed=seed, told=_told)
        save(Path(between) / "warm", out, seed)


def save(warm: Path, out: Path, seed: int) -> None:
    """Write a warmed-up policy in half precision, examined as it is then."""
    network = AutoModelForImageTextToText.from_pretrained(warm, local_files_only=True, dtype=torch.float16)
    network.save_pretrained(out)
    load_processor(warm, local_files_only=True).save_pretrained(out)
    (out / CARD).write_text(PolicyCard(preset=load_preset("world_cpu")).model_dump_json(indent=2))
    exam = examine(open_policy(str(out)), list(samples(_QUESTIONS, _HELD_OUT, PLAIN)), masks_of("tiny-test", "cpu"))
    files = sorted(path for path in out.iterdir() if path.name != _FACTS)
    facts = {
        "name": TINY_WORLD,
        "what": "a policy of 1.05 M parameters that knows the world's plain questions only, for trials and tests",
        "license": "Apache-2.0",
        "command": f"python -m whyseg.training.tiny_world OUT --seed {seed}",
        "versions": {name: version(name) for name in ("numpy", "tokenizers", "torch", "transformers")},
        "sha256": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
        "on_held_out_questions": exam.plain(),
    }
    (out / _FACTS).write_text(json.dumps(facts, indent=2) + "\n")


def _told(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make, examine and write the policy."""
    parser = argparse.ArgumentParser(prog="python -m whyseg.training.tiny_world", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to write")
    parser.add_argument("--seed", type=int, default=0, help="default %(default)s")
    given = parser.parse_args(arguments)
    make(given.out, given.seed)
    print((given.out / _FACTS).read_text())


if __name__ == "__main__":
    main()
