"""How many planted mistakes the rules of ``whyseg score`` find, and how many good samples they flag.

    python -m benchmarks.planted [--samples 600] [--seeds 0 1 2] [--accuracies 0.8 0.6 0.4]
    python -m benchmarks.planted --policy runs/tiny [--preset world_cpu] [--samples 200] [--seeds 0 1]

A tenth of the world's samples have a mistake: another thing is annotated, the mask is shifted or a filled box, or the
question lacks its last step. Without --policy the answers come from a simulated one (`benchmarks.simulated_policy`) of
stated accuracy on the full world; with it from a model, on the plain world, where no question can be ambiguous. 16
answers a question; masks by the packaged segmenter. Beside each figure stands what as many flags at random would find.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.machine import describe, line
from benchmarks.simulated_policy import SimulatedPolicy
from whyseg.curation.reading import Item
from whyseg.curation.segmenters import choose
from whyseg.schemas import Mask, Revision, ScoreRun, union
from whyseg.training.candidates import Candidates
from whyseg.training.diagnosis import ALARMS, THRESHOLDS, Diagnosis, Thresholds, diagnose, surest
from whyseg.training.mask_reward import Masks
from whyseg.training.policies import open_policy
from whyseg.training.predict import Predictor, Sampling
from whyseg.training.signals import iou, reprompt, signals_of
from whyseg.training.world.dataset import PLAIN, World, WorldItem, samples

RESULTS = Path(__file__).parent / "results" / "planted.json"
ERRORS, ANSWERS, TOKENS = 0.1, 16, 160
RIGHT_NAME = {
    "wrong_instance": "wrong_target",
    "shifted_mask": "boundary",
    "coarse_mask": "boundary",
    "ambiguous_query": "ambiguous",
}
AT = datetime(2026, 1, 1, tzinfo=UTC)


class Case:
    """A sample with what was planted in it, and what was said of it; ``right``: whether the vote was, by the truth."""

    def __init__(self, item: WorldItem, candidates: Candidates, masks: Masks) -> None:
        self.kind = item.planted.kind if item.planted else "clean"
        revision = Revision.make(item.sample, number=1, parent=None, author="world", created_at=AT)
        again = reprompt(item.sample, masks, lambda: item.image)
        signals = signals_of(candidates, revision, again, run="run", at=AT)
        run = ScoreRun(id="run", policy="p", segmenter="tiny", samples=ANSWERS, temperature=1, seed=0, created_at=AT)
        self.found = diagnose(revision, signals, lambda: again, run=run)
        self.truth = union([Mask.encode(target.mask) for target in item.asked.targets], item.sample.size)
        self.annotated = iou(item.sample.target(), self.truth)
        vote = union([one.mask for one in signals.clusters if one.chosen], item.sample.size)
        self.right = signals.agreement > 0 and iou(vote, self.truth) >= 0.5


def cases(items: Iterable[WorldItem], answer: Callable[[WorldItem], Candidates], masks: Masks) -> list[Case]:
    """Ask about each item, and diagnose it."""
    return [Case(item, answer(item), masks) for item in items]


def figures(some: Sequence[Case], thresholds: Thresholds = THRESHOLDS) -> dict[str, Any]:
    """Return recall by kind of mistake and the share of clean samples that are flagged, as after a whole run."""
    kept = surest({f"{number:06d}": one.found for number, one in enumerate(some)}, len(some), thresholds)
    judged = list(zip(some, kept.values(), strict=True))
    flagged = [bool(alarms(found)) for _, found in judged]
    table: dict[str, Any] = {}
    for kind in ("wrong_instance", "shifted_mask", "coarse_mask", "ambiguous_query"):
        these = [found for case, found in judged if case.kind == kind]
        if these:
            named = sum(RIGHT_NAME[kind] in alarms(found) for found in these)
            table[kind] = {**share(sum(bool(alarms(found)) for found in these), len(these)), "named_rightly": named}
    wrong = [bool(alarms(found)) for case, found in judged if case.kind != "clean"]
    clean = [alarms(found) for case, found in judged if case.kind == "clean"]
    offered = [(case, one) for case, found in judged for one in found.proposals if case.kind in RIGHT_NAME]
    gains = [(case.annotated, iou(union([i.mask for i in one.instances or ()], case.truth.size), case.truth))
             for case, one in offered if case.kind != "ambiguous_query"]  # fmt: skip
    return {
        "samples": len(some),
        "votes_right": round(sum(case.right for case in some) / len(some), 4),
        "recall": {"all": share(sum(wrong), len(wrong)), **table},
        "false_alarms": {
            **share(sum(map(bool, clean)), len(clean)),
            "by_kind": dict(sorted(Counter(kind for found in clean for kind in found).items())),
        },
        "at_random": round(sum(flagged) / len(flagged), 4),
        "precision": share(sum(wrong), sum(flagged)),
        "proposals": {
            "about_mistakes": len(gains),
            "iou_before": _mean([before for before, _ in gains]),
            "iou_after": _mean([after for _, after in gains]),
        },
    }


def alarms(found: Diagnosis) -> set[str]:
    """Return the kinds of alarms about a sample's annotation."""
    return {one.kind for one in found.findings} & set(ALARMS)


def share(count: int, of: int) -> dict[str, Any]:
    """Return a share with its 95 % interval by Wilson."""
    if not of:
        return {"count": 0, "of": 0, "share": None, "low": None, "high": None}
    z, p = 1.959964, count / of
    middle, half = p + z * z / (2 * of), z * ((p * (1 - p) + z * z / (4 * of)) / of) ** 0.5
    low, high = (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)
    return {
        "count": count,
        "of": of,
        "share": round(p, 4),
        "low": round(max(0, low), 4),
        "high": round(min(1, high), 4),
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def simulated(accuracy: float, seeds: Sequence[int], count: int, masks: Masks) -> list[Case]:
    """Return the cases of a simulated policy on the full world."""
    found: list[Case] = []
    for seed in seeds:
        policy = SimulatedPolicy(masks, accuracy, seed)
        found += cases(samples(count, seed, World(errors=ERRORS)), partial(policy.candidates, k=ANSWERS), masks)
    return found


def asked(policy: str, preset: str | None, seeds: Sequence[int], count: int, masks: Masks) -> list[Case]:
    """Return the cases of a model on the plain world."""
    sampling = Sampling.of(ANSWERS, max_tokens=TOKENS)
    predictor = Predictor(open_policy(policy, preset=preset, device="cpu"), masks, sampling)

    def answer(item: WorldItem) -> Candidates:
        (found,) = predictor.answer([Item(item.sample, item.record, item.png, item.sample.id, None)])
        return found

    world = PLAIN.model_copy(update={"errors": ERRORS})
    return [case for seed in seeds for case in cases(samples(count, seed, world), answer, masks)]


def show(title: str, found: dict[str, Any]) -> None:
    """Print one table."""
    print(f"\n{title}: {found['samples']} samples, {found['votes_right']:.3f} of the votes right")
    rows = [*found["recall"].items(), ("false alarms", found["false_alarms"]), ("precision", found["precision"])]
    for name, one in rows:
        if one["share"] is not None:
            named = f"  {one['named_rightly']} by the right name" if "named_rightly" in one else ""
            counts = f"{one['count']:>4} of {one['of']:<5}"
            print(f"  {name:<16}{counts}{one['share']:>6.3f} [{one['low']:.3f}, {one['high']:.3f}]{named}")
    print(f"  at random        {found['at_random']:.3f}   false alarms by kind {found['false_alarms']['by_kind']}")
    print(f"  proposals: {found['proposals']}", flush=True)


def keep(file: Path, results: dict[str, Any]) -> None:
    """Write results beside those of other runs that the file holds."""
    known = json.loads(file.read_text()) if file.exists() else {}
    machine = describe("torch", "transformers", "numpy")
    known |= {**results, "machine": machine, "thresholds": THRESHOLDS.plain()}
    file.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=600, help="of each seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--accuracies", type=float, nargs="+", default=[0.8, 0.6, 0.4])
    parser.add_argument("--policy")
    parser.add_argument("--preset")
    parser.add_argument("--out", type=Path, default=RESULTS)
    words = parser.parse_args()
    masks = Masks(choose(model="tiny-test")[0], cache_bytes=2**24)
    start, results = time.monotonic(), dict[str, Any]()
    if words.policy:
        found = figures(asked(words.policy, words.preset, words.seeds, words.samples, masks))
        results["trained"] = {"policy": words.policy, "seeds": words.seeds, **found}
        show(words.policy, found)
        keep(words.out, results)
    else:
        for accuracy in words.accuracies:
            found = figures(simulated(accuracy, words.seeds, words.samples, masks))
            results[f"simulated {accuracy}"] = {"seeds": words.seeds, **found}
            show(f"accuracy {accuracy}", found)
            keep(words.out, results)
    print(f"\n{time.monotonic() - start:.0f} s on {line(describe('torch', 'transformers', 'numpy'))}")


if __name__ == "__main__":
    main()
