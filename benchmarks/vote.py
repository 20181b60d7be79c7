"""Voting over K = 32 answers on a picture of 3840×2160, against dense arrays of pixels.

    python -m benchmarks.vote

Two plain programs vote by the same rules on bool arrays: one compares all candidates with each other, the other only
those that the clustering asks about. Ours votes on run lengths as they are stored; "with encoding" starts from
the same bool arrays. All four must come to the same mask, in both modes.
"""

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.machine import describe, line
from benchmarks.rows import Budget, Row, faster, options, show, write
from tests.training.dense_voting import dense_mask, dense_vote
from whyseg.schemas import Mask
from whyseg.training.voting import Answer, Settings, vote

SIZE = (2160, 3840)
ANSWERS = 32
REPEATS = 5
BoolArray = npt.NDArray[np.bool_]
Plain = list[dict[str, Any]]


def made_up(seed: int = 0) -> Plain:
    """Return 32 answers that see one or two of three objects, with ragged, wandering edges; one cannot be read."""
    random = np.random.default_rng(seed)
    centres = [(1100, 900), (2500, 1200), (2600, 600)]
    answers: Plain = []
    for number in range(ANSWERS):
        objects = []
        for which in ([0], [0, 1], [0], [2])[number % 4]:
            x, y = (int(value + random.normal(0, 6)) for value in centres[which])
            angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
            radius = 420 + 60 * np.sin(3 * angles + which) + random.normal(0, 6, len(angles))
            ring = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], 1).astype(np.int32)
            canvas = np.zeros(SIZE, np.uint8)
            cv2.fillPoly(canvas, [ring], (1,))
            objects.append({"mask": canvas > 0, "score": round(float(random.uniform(0.6, 0.99)), 4), "label": "it"})
        answers.append({"parsed": number != 7, "objects": objects})
    return answers


def pairwise_vote(answers: Plain, size: tuple[int, int], settings: Settings) -> BoolArray | None:
    """Vote as `dense_vote` does, from a table of the IoU of all candidates with each other."""
    valid = [(number, answer) for number, answer in enumerate(answers) if answer["parsed"]]
    things = [(number, thing) for number, answer in valid for thing in answer["objects"]]
    table = np.eye(len(things))
    for i in range(len(things)):
        for j in range(i):
            first, second = things[i][1]["mask"], things[j][1]["mask"]
            table[i, j] = table[j, i] = (first & second).sum() / (first | second).sum()
    clusters: list[list[int]] = []
    for i in range(len(things)):
        home = next((cluster for cluster in clusters if table[i, cluster[0]] >= settings.iou), None)
        if home is None:
            clusters.append([i])
        else:
            home.append(i)
    counts = [len(answer["objects"]) for _, answer in valid if answer["objects"]]
    wanted = max(dict.fromkeys(counts), key=counts.count)
    votes = [len({things[i][0] for i in cluster}) for cluster in clusters]
    scores = [sum(things[i][1]["score"] for i in cluster) / len(cluster) for cluster in clusters]
    order = sorted(range(len(clusters)), key=lambda k: (-votes[k], -scores[k], k))
    kept = [k for k in order if votes[k] / len(valid) >= settings.votes] or order
    result = np.zeros(size, bool)
    for k in kept[:wanted]:
        result |= dense_mask([things[i][1] for i in clusters[k]], settings)
    return result


def encoded(answers: Plain) -> list[Answer]:
    return [
        Answer.parse(
            {
                "parsed": one["parsed"],
                "objects": [{**thing, "mask": Mask.encode(thing["mask"])} for thing in one["objects"]],
            }
        )
        for one in answers
    ]


def stored_again(answers: list[Answer]) -> list[Answer]:
    """Return equal records without what they remember of themselves, such as areas."""
    return [Answer.parse(one.plain()) for one in answers]


def timed(run: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    """Return a result and the median milliseconds of a call."""
    result, times = None, []
    for _ in range(repeats):
        start = time.perf_counter()
        result = run()
        times.append(1e3 * (time.perf_counter() - start))
    return result, float(np.median(times))


def rows_of(modes: list[dict[str, Any]]) -> list[Row]:
    """Return what was found as rows."""
    rows = []
    for mode in modes:
        ms = mode["ms"]
        for own, how in (("ours", "run lengths"), ("with_encoding", "encoding the arrays first")):
            for theirs, what in (
                ("dense_pairwise", "arrays, all pairs"),
                ("dense_greedy", "arrays, clustering's pairs"),
            ):
                budget = Budget(of="ratio", at_least=10) if (own, theirs) == ("ours", "dense_pairwise") else None
                rows.append(
                    Row(
                        what=f"vote of {ANSWERS} at {SIZE[1]}×{SIZE[0]}, {mode['mode']}, {how}", p50=ms[own],
                        baseline=what, **faster(ms[own], ms[theirs]), budget=budget,
                    )
                )  # fmt: skip
    return rows


def main() -> None:
    asked = options(__doc__, "vote").parse_args()
    repeats = 1 if asked.quick else REPEATS
    plain = made_up()
    machine, rows = describe("numpy", "pycocotools"), []
    print(line(machine))
    runs = encoded(plain)
    for mode in ("best", "consensus"):
        settings = Settings.parse({"mode": mode})
        fresh = [stored_again(runs) for _ in range(repeats)]
        ours, ours_ms = timed(lambda fresh=fresh, s=settings: vote(fresh.pop(), SIZE, s).mask, repeats)  # type: ignore[misc]
        whole, whole_ms = timed(lambda s=settings: vote(encoded(plain), SIZE, s).mask, repeats)  # type: ignore[misc]
        greedy, greedy_ms = timed(lambda s=settings: dense_vote(plain, SIZE, s), 1)  # type: ignore[misc]
        pairs, pairs_ms = timed(lambda s=settings: pairwise_vote(plain, SIZE, s), 1)  # type: ignore[misc]
        same = ours == whole == Mask.encode(greedy) == Mask.encode(pairs)
        times = {"ours": ours_ms, "with_encoding": whole_ms, "dense_greedy": greedy_ms, "dense_pairwise": pairs_ms}
        rows.append({"mode": mode, "same": same, "ms": {name: round(ms, 2) for name, ms in times.items()}})
        print(f"{mode}: same result {same}; " + ", ".join(f"{name} {ms:.1f} ms" for name, ms in times.items()))
        for name in ("ours", "with_encoding"):
            print(f"  {name}: {pairs_ms / times[name]:.0f}× of pairwise, {greedy_ms / times[name]:.0f}× of greedy")
    show(rows_of(rows))
    write(asked.out, rows_of(rows), machine, quick=asked.quick, size=SIZE, answers=ANSWERS, modes=rows)


if __name__ == "__main__":
    main()
