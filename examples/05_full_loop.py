"""The whole circle on drawn scenes: annotate, review, release, train, vote, score, fix, release again, compare, export.

    python examples/05_full_loop.py FOLDER [--samples 240] [--errors 0.2] [--updates 20] [--steps 100]

Some of the scenes' annotations are wrong, and the truth of these is known: it stands in for a curator who looks at what
a policy's answers speak against. A quarter of an hour on a quiet core, most of it training; nothing is downloaded.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from whyseg.curation.proposals import Proposals, proposed_sample
from whyseg.curation.queries import SampleFilter
from whyseg.curation.store import Store
from whyseg.curation.times import now
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Instance, Mask, Origin, Query, Review, Sample, State

ALARMS = {"ambiguous", "boundary", "wrong_target"}
Truths = dict[str, dict[str, Any]]


def whyseg(*words: object) -> Any:
    """Run a command as on the command line, and return what it prints with --json."""
    print("whyseg", *words, flush=True)
    command = [sys.executable, "-m", "whyseg", *map(str, words), "--json"]
    one_thread = {"OMP_NUM_THREADS": "1", **os.environ}  # two would only wait for each other in models this small
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, env=one_thread).stdout)


def hand_in(store: Store) -> None:
    """Submit every draft, as its annotator does."""
    for sample in store.page(SampleFilter(state=State.DRAFT), limit=100_000).samples:
        store.submit(sample.id, parent=store.head(sample.id).revision.id, author="ann")


def review(store: Store) -> int:
    """Accept whatever was handed in, as a reviewer does who trusts everybody; return how much that was."""
    waiting = store.page(SampleFilter(state=State.SUBMITTED), limit=100_000).samples
    for sample in waiting:
        revision = store.head(sample.id).revision.id
        store.review(
            Review(
                id=f"{sample.id}-{revision}",
                sample_id=sample.id,
                revision_id=revision,
                reviewer="bob",
                decision="accept",
                created_at=now(),
            )
        )
    return len(waiting)


def fix(store: Store, truths: Truths) -> dict[str, int]:
    """Look at what has an alarm: accept what is rightly proposed, mend other mistakes, dismiss false alarms."""
    proposals, done = Proposals(store), {"accepted": 0, "mended": 0, "dismissed": 0}
    alarmed = {finding.sample_id for finding in store.findings() if finding.kind in ALARMS and finding.sample_id}
    for key in sorted(alarmed):
        head, waiting = store.head(key), [one for one in proposals.of(key) if one.state == "open"]
        if key not in truths:
            for one in waiting:
                proposals.dismiss(one.id, author="cleo")
            done["dismissed"] += 1
            continue
        right = corrected(head.sample, truths[key])
        good = [one for one in waiting if proposed_sample(head.sample, one).target().iou(right.target()) > 0.85]
        if good and right.query == head.sample.query:
            proposals.accept(good[0].id, author="cleo")
            done["accepted"] += 1
            continue
        store.reopen(key, author="cleo", reason="a policy's answers speak against it")
        saved = store.revise(key, right, parent=head.revision.id, author="cleo")
        store.submit(key, parent=saved.revision.id, author="cleo")
        done["mended"] += 1
    return done


def corrected(sample: Sample, truth: dict[str, Any]) -> Sample:
    """Return a sample as it should have been."""
    instances = [
        Instance(id=number, label=one["label"], mask=Mask.parse(one["rle"]), origin=Origin(kind="polygon"))
        for number, one in enumerate(truth["instances"], 1)
    ]
    query = sample.query if sample.query and sample.query.text == truth["query"] else Query(text=truth["query"])
    hops = tuple(truth["hops"])
    changes = {"instances": tuple(instances), "query": query, "hops": hops, "depth": len(hops)}
    return sample.model_copy(update=changes)


def options() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="a new folder")
    parser.add_argument("--samples", type=int, default=240)
    parser.add_argument("--errors", type=float, default=0.2, help="the share of wrong annotations")
    parser.add_argument("--updates", type=int, default=20, help="of the policy that looks for them")
    parser.add_argument("--steps", type=int, default=100, help="of each training that is compared")
    parser.add_argument("--answers", type=int, default=8, help="to each question")
    parser.add_argument("--held-out", type=int, default=200, help="questions to compare on")
    parser.add_argument("--policy", default="tiny-world", help="what everything starts from: the packaged policy")
    parser.add_argument("--preset", default="world_cpu")
    return parser.parse_args()


def main() -> None:
    """Go round once."""
    given = options()
    folder, preset, start = given.folder, ("--preset", given.preset), ("--policy", given.policy)
    work, run, answers = folder / "workspace", folder / "run", folder / "answers"

    # Data: scenes whose questions and masks somebody has annotated, not always rightly; others to compare on.
    drawn = "world", "make", folder / "drawn", "--plain", "--seed", 21, "--n", given.samples, "--errors", given.errors
    planted = whyseg(*drawn)["planted"]
    whyseg("world", "make", folder / "held-out", "--plain", "--seed", 22, "--n", given.held_out)
    truths: Truths = {one["sample_id"]: one for one in json.loads((folder / "drawn" / "planted.json").read_text())}
    whyseg("init", work)
    whyseg("import", "hf", folder / "drawn", "-w", work)

    # Annotated, reviewed, released.
    with Workspace.open(work) as workspace:
        hand_in(workspace.store)
        reviewed = review(workspace.store)
    first = whyseg("release", "create", "v1", "-w", work)

    # Train, let the policy vote on every question, and see what its answers speak against.
    trained = whyseg(
        "train", given.preset, "--data", "v1", "-w", work, "--out", run, "--updates", given.updates, *start
    )
    asked = "--policy", run, "--samples", given.answers, "--max-tokens", 160
    voted = whyseg("predict", "v1", "-w", work, "--out", answers, *asked)
    stored = "--candidates", answers / "candidates.jsonl", "--segmenter", "tiny-test", "--policy", run
    scored = whyseg("score", "v1", "-w", work, *stored)

    # Fixed by a curator, reviewed, released again.
    with Workspace.open(work) as workspace:
        fixed = fix(workspace.store, truths)
        review(workspace.store)
    second = whyseg("release", "create", "v2", "-w", work)
    changed = whyseg("release", "diff", "v1", "v2", "-w", work)["changed"]

    # What is learnt from either, beginning as the first training did, and the second one for everybody.
    alike = *preset, "--recipe", "sft", "--updates", given.steps, *start
    on = "--on", folder / "held-out", "-w", work, "--out", folder / "compared"
    compared = whyseg("compare", "v1", "v2", *on, *alike)
    whyseg("export", "hf", "v2", folder / "v2", "-w", work)

    rows = {
        "planted mistakes": f"{sum(planted.values())} of {given.samples}: {planted}",
        "reviewed and accepted": reviewed,
        "release v1": f"{first['samples']} samples, {first['hash'][:19]}",
        "trained": f"{trained['plan']['updates']} updates on {trained['data']['rows']} rows",
        "voted": f"{voted['answered']} questions, {given.answers} answers each",
        "found": scored["findings"],
        "fixed": fixed,
        "release v2": f"{second['samples']} samples, {second['hash'][:19]}, {len(changed)} changed",
        **learnt(compared),
        "exported": folder / "v2",
    }
    print(*(f"{name:<24}{value}" for name, value in rows.items()), sep="\n")


def learnt(compared: dict[str, Any]) -> dict[str, str]:
    """Return what a comparison says, in words."""
    trial, together = compared["trials"][0], compared["together"]
    low, high = together["intervals"]["giou"]
    return {
        "learnt from v1, gIoU": f"{trial['first']['giou']:.3f}",
        "learnt from v2, gIoU": f"{trial['second']['giou']:.3f}",
        "difference": f"{together['giou']:+.3f} [{low:+.3f}, {high:+.3f}], {compared['conclusion']}",
    }


if __name__ == "__main__":
    main()
