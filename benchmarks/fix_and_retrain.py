"""Whether mending the mistakes that a policy finds makes a better policy: the whole circle, measured.

    python -m benchmarks.fix_and_retrain [--errors 0.1 0.3] [--rows 240] [--steps 100] [--seeds 0 1] [--questions 300]

In the plain world a share of the samples gets a mistake: release v1. A policy that was warmed up on other scenes
(``--policy``, or one that is made) answers v1's questions several times, and its answers are scored. Of the samples
that get an alarm, those that have a mistake are mended, the truth standing in for a curator: release v2. The rest is
mended, too: v3, the most that mending can give. `whyseg compare` then trains that policy on v1 and on v2 (`sft`) with
every seed, and asks the held-out questions, whose labels are right; v3 is trained and asked alike. What ``--out`` holds
is not made again. Twenty to twenty-five minutes on a quiet core.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, line
from whyseg.curation.formats.hub_layouts import import_hf
from whyseg.curation.reading import Data, open_data
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Instance, Mask, Origin, Query
from whyseg.training import launch
from whyseg.training.compare import Bench, Compared, compare_data, difference, spread_of
from whyseg.training.diagnosis import ALARMS
from whyseg.training.evaluate import kept
from whyseg.training.mask_reward import Masks
from whyseg.training.predict import Predictor, Sampling
from whyseg.training.presets import load_preset
from whyseg.training.protocols import protocol_of
from whyseg.training.recipes import Grpo, Sft
from whyseg.training.score import Live, run_of, score, wanted
from whyseg.training.world.dataset import PLAIN
from whyseg.training.world.export import PLANTED, write_world

RESULTS = Path(__file__).parent / "results" / "fix_and_retrain.json"
HELD_OUT, TRAINED_ON = 2**31 + 3, 12  # seeds of scenes; what the policy was warmed up on has others
PROTOCOL = protocol_of("star")
Truths = dict[str, dict[str, Any]]


def planted(folder: Path, errors: float, rows: int) -> Truths:
    """Make the data and a workspace with release v1; return the truth of every sample with a mistake."""
    data, path = folder / "data", folder / "workspace"
    if not data.exists():
        write_world(data, rows, TRAINED_ON, PLAIN.model_copy(update={"errors": errors}))
    truths = {truth["sample_id"]: truth for truth in json.loads((data / PLANTED).read_text())}
    if not path.exists():
        Workspace.create(path).close()
    with Workspace.open(path) as workspace:
        if not Releases(workspace).all():
            import_hf(workspace, str(data), author="annotator")
            Releases(workspace).create("v1", author="curator", states="any")
    return truths


def alarmed(folder: Path, recipe: Sft, masks: Masks, answers: int) -> set[str]:
    """Ask the policy that both start from about v1, score its answers, and return the samples with an alarm."""
    with Workspace.open(folder / "workspace") as workspace:
        asked = wanted(workspace, "v1")
        sampling = Sampling.of(answers, max_tokens=recipe.preset.grpo.max_completion_tokens)
        source = Live(Predictor(recipe.opened(recipe.policy or ""), masks, sampling), folder / "answers")
        try:
            facts = {"policy": "start", "samples": answers, "temperature": sampling.temperature, "seed": sampling.seed}
            more = {"segmenter": masks.segmenter.model, "created_at": workspace.store.clock()}
            run = run_of(source.facts(), asked, "v1", **facts, **more)
            score(workspace, run, asked, source, masks)
        finally:
            source.close()
        # As they stood when v1 was scored: what was mended since has its findings gone.
        found = workspace.store.findings(gone=True)
    return {finding.sample_id for finding in found if finding.kind in ALARMS and finding.sample_id}


def mended(folder: Path, name: str, truths: Truths, chosen: set[str]) -> Data:
    """Mend some samples, and freeze all under a name; return the release."""
    path = folder / "workspace"
    with Workspace.open(path) as workspace:
        if name not in {release.name for release in Releases(workspace).all()}:
            for key in sorted(chosen):
                head, truth = workspace.store.head(key), truths[key]
                origin = Origin(kind="polygon")
                instances = tuple(
                    Instance(id=i, label=one["label"], mask=Mask.parse(one["rle"]), origin=origin)
                    for i, one in enumerate(truth["instances"], 1)
                )
                changes = {
                    "instances": instances,
                    "query": Query(text=truth["query"], is_sentence=truth["is_sentence"]),
                    "hops": tuple(truth["hops"]),
                    "depth": len(truth["hops"]),
                }
                sample = head.revision.sample.model_copy(update=changes)
                workspace.store.revise(key, sample, parent=head.revision.id, author="curator")
            Releases(workspace).create(name, author="curator", states="any")
    return open_data(name, workspace=path)


def ceiling(
    folder: Path, clean: Data, compared: Compared, recipe: Sft, bench: Bench, say: Callable[[str], None]
) -> dict[str, Any]:
    """Train on everything mended with every seed; return how it differs from v1, as `compare_data` says it."""
    firsts, bests, gaps = [], [], []
    for trial in compared.trials:
        where = folder / "runs" / f"v3-{trial.seed}"
        begun = recipe.begin(trial.seed, folder / "compared" / f"start-{trial.seed}", say)
        recipe.train(clean, begun, trial.seed, where, say)
        first = kept(folder / "compared" / "answers" / f"first-{trial.seed}", PROTOCOL)
        best = bench.scores(f"v3-{trial.seed}", lambda where=where: recipe.opened(str(where)))  # type: ignore[misc]
        gaps.append(difference(first, best).giou)
        firsts += first
        bests += best
    spread = spread_of(gaps)
    return {"seeds": gaps, "spread": spread and spread.plain(), "together": difference(firsts, bests).plain()}


def circle(
    errors: float, given: argparse.Namespace, recipe: Sft, masks: Masks, held_out: Data, say: Callable[[str], None]
) -> dict[str, Any]:
    began, folder = time.perf_counter(), given.out / f"errors-{errors:g}"
    folder.mkdir(parents=True, exist_ok=True)
    truths = planted(folder, errors, given.rows)
    alarms = alarmed(folder, recipe, masks, given.samples)
    right = alarms & truths.keys()
    say(f"{errors:.0%}: {len(truths)} mistakes, {len(alarms)} alarms, {len(right)} of them right")
    second = mended(folder, "v2", truths, right)
    third = mended(folder, "v3", truths, truths.keys() - right)
    first = open_data("v1", workspace=folder / "workspace")
    compared = compare_data(
        first, second, held_out, folder / "compared", recipe=recipe, masks=masks, protocol=PROTOCOL,
        seeds=given.seeds, told=say,
    )  # fmt: skip
    sampling = Sampling.of(1, max_tokens=recipe.preset.grpo.max_completion_tokens)
    bench = Bench(held_out, compared.setup.held_out, folder, masks, PROTOCOL, sampling, say)
    kinds = Counter(truth["kind"] for truth in truths.values())
    caught = Counter(truths[key]["kind"] for key in right)
    plain = compared.plain()
    return {
        "errors": errors,
        "mistakes": dict(kinds),
        "found": dict(caught),
        "false_alarms": len(alarms - right),
        **{name: plain[name] for name in ("trials", "together", "spread", "unlike", "conclusion")},
        "ceiling": ceiling(folder, third, compared, recipe, bench, say),
        "seconds": round(time.perf_counter() - began),
    }


def table(found: Sequence[dict[str, Any]]) -> list[str]:
    """Return what was found as lines of a Markdown table."""
    lines = ["| mistakes | found | v1 | v2 | v2 − v1 | seeds | all mended − v1 |", "|---|---|---|---|---|---|---|"]
    for one in found:
        means = [
            sum(trial[side]["giou"] for trial in one["trials"]) / len(one["trials"]) for side in ("first", "second")
        ]
        total, caught = sum(one["mistakes"].values()), sum(one["found"].values())
        seeds = ", ".join(f"{trial['difference']['giou']:+.3f}" for trial in one["trials"])
        lines.append(
            f"| {one['errors']:.0%} | {caught} of {total} | {means[0]:.3f} | {means[1]:.3f} | "
            f"{_gap(one['together'])} | {seeds} | {_gap(one['ceiling']['together'])} |"
        )
    return lines


def _gap(compared: dict[str, Any]) -> str:
    low, high = compared["intervals"]["giou"] or (float("nan"), float("nan"))
    return f"{compared['giou']:+.3f} [{low:+.3f}, {high:+.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fix_and_retrain", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("build/fix_and_retrain"))
    parser.add_argument("--errors", type=float, nargs="+", default=[0.1, 0.3])
    parser.add_argument("--rows", type=int, default=240)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--policy")
    parser.add_argument("--results", type=Path, default=RESULTS)
    given = parser.parse_args()

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    given.out.mkdir(parents=True, exist_ok=True)
    held = given.out / "held-out"
    if not held.exists():
        write_world(held, given.questions, HELD_OUT, PLAIN)
    start = given.policy or Grpo(load_preset("world_cpu")).begin(0, given.out / "start", say)
    recipe, masks = Sft(load_preset("world_cpu"), start, given.steps), launch.masks_of("tiny-test", None)
    found = [circle(errors, given, recipe, masks, open_data(held), say) for errors in given.errors]
    machine = describe("numpy", "torch", "transformers")
    settings = {name: getattr(given, name) for name in ("rows", "steps", "seeds", "questions", "samples", "policy")}
    given.results.write_text(json.dumps({"machine": machine, **settings, "circles": found}, indent=1) + "\n")
    print("\n".join(table(found)))
    say(line(machine))


if __name__ == "__main__":
    main()
