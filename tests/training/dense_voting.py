"""Voting written plainly on arrays of pixels, step by step as `voting` describes it; the fast one is checked by it."""

from typing import Any

import numpy as np
import numpy.typing as npt

from whyseg.training.voting import Settings

BoolArray = npt.NDArray[np.bool_]


def dense_vote(answers: list[dict[str, Any]], size: tuple[int, int], settings: Settings) -> BoolArray | None:
    """Return bool (H, W), or None when nothing could be read.

    ``answers``: {"parsed", "objects": [{"mask": bool (H, W), "score", "label"}]}.
    """
    valid = [(number, answer) for number, answer in enumerate(answers) if answer["parsed"]]
    if not valid:
        return None
    empty = sum(1 for _, answer in valid if not answer["objects"])
    if empty / len(valid) >= settings.no_object:
        return np.zeros(size, bool)
    counts = [len(answer["objects"]) for _, answer in valid if answer["objects"]]
    times = {count: counts.count(count) for count in counts}
    wanted = next(count for count in counts if times[count] == max(times.values()))
    clusters: list[list[tuple[int, dict[str, Any]]]] = []
    for number, answer in valid:
        for thing in answer["objects"]:
            for cluster in clusters:
                first = cluster[0][1]["mask"]
                either = (thing["mask"] | first).sum()
                if (0.0 if either == 0 else (thing["mask"] & first).sum() / either) >= settings.iou:
                    cluster.append((number, thing))
                    break
            else:
                clusters.append([(number, thing)])
    ranked = []
    for order, cluster in enumerate(clusters):
        votes = len({number for number, _ in cluster})
        score = sum(thing["score"] for _, thing in cluster) / len(cluster)
        ranked.append((-votes, -score, order, votes / len(valid), cluster))
    ranked.sort(key=lambda one: one[:3])
    kept = [one for one in ranked if one[3] >= settings.votes] or ranked
    result = np.zeros(size, bool)
    for *_, cluster in kept[:wanted]:
        result |= dense_mask([thing for _, thing in cluster], settings)
    return result


def dense_mask(things: list[dict[str, Any]], settings: Settings) -> BoolArray:
    """Return a cluster's mask."""
    if settings.mode == "best":
        best: BoolArray = max(things, key=lambda thing: (thing["score"], thing["mask"].sum()))["mask"]
        return best
    scores = [thing["score"] for thing in things]
    if all(score <= 0 for score in scores):
        scores = [1.0] * len(scores)
    share = sum(score * thing["mask"] for score, thing in zip(scores, things, strict=True)) / sum(scores)
    return np.asarray(share >= settings.pixels - 1e-9)
