"""The worst and the best answers of an evaluation, drawn on their pictures, and the page that shows them."""

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from whyseg.curation.images import RgbArray
from whyseg.curation.reading import Item
from whyseg.curation.report import Section, html_page
from whyseg.schemas import Mask
from whyseg.training.metrics import Prediction, Score

if TYPE_CHECKING:
    from whyseg.training.evaluate import Evaluation, Part

SIDE = 480  # pixels of a drawing's longer side
SHOWN = 8  # samples on either end
RIGHT, EXTRA, MISSED, IGNORED = (0, 220, 60), (255, 0, 0), (30, 110, 255), (250, 250, 250)
LONGEST = 600  # characters of a response that are shown
LEGEND = "Right of each picture: green was found, red is too much, blue was missed, light grey does not count"


@dataclass(frozen=True, eq=False)
class _Drawn:
    score: Score
    section: Section


class Gallery:
    """Remembers the ``shown`` worst and best of the samples that it is shown, drawn and small, whatever their number.

    Of equals the first ones stay. What can only be among the worst in one order is never drawn twice.
    """

    def __init__(self, shown: int = SHOWN) -> None:
        self.shown = shown
        self._worst: list[tuple[float, int, _Drawn]] = []
        self._best: list[tuple[float, int, _Drawn]] = []
        self._count = 0

    def show(self, item: Item, prediction: Prediction, score: Score) -> None:
        """Look at a scored sample."""
        self._count += 1
        drawn: _Drawn | None = None
        for heap, key in ((self._worst, -score.iou), (self._best, score.iou)):
            if len(heap) == self.shown and key <= heap[0][0]:
                continue
            drawn = drawn or _Drawn(score, _section(item, prediction, score))
            heapq.heappush(heap, (key, -self._count, drawn))
            if len(heap) > self.shown:
                heapq.heappop(heap)

    def worst(self) -> list[Section]:
        """Return the worst samples, the worst first."""
        return [drawn.section for _, _, drawn in sorted(self._worst, key=lambda one: one[:2], reverse=True)]

    def best(self) -> list[Section]:
        """Return the best samples that are not among the worst, the best first."""
        shown = {number for _, number, _ in self._worst}
        ordered = sorted(self._best, key=lambda one: one[:2], reverse=True)
        return [drawn.section for _, number, drawn in ordered if number not in shown]


def page(evaluation: "Evaluation", gallery: Gallery, title: str = "") -> str:
    """Return the report as one HTML page: the figures, then the worst and the best samples."""
    worst = [_headed(f"Worst {k}", section) for k, section in enumerate(gallery.worst(), 1)]
    best = [_headed(f"Best {k}", section) for k, section in enumerate(gallery.best(), 1)]
    lead = (
        f"{evaluation.n} samples of {evaluation.data}{f', split {evaluation.split}' if evaluation.split else ''}, "
        f"protocol {evaluation.protocol}; {evaluation.failed} without a readable answer, "
        f"{len(evaluation.left_out)} left out, {len(evaluation.refused)} refused. "
        f"Box Acc@0.5 {percent(evaluation.box_accuracy)}, no-target accuracy "
        f"{percent(evaluation.no_target_accuracy)}. All in per cent. {LEGEND}."
    )
    return html_page(title or f"Evaluation of {evaluation.data}", lead, _table(evaluation), [*worst, *best])


def draw(pixels: RgbArray, answer: Mask, target: Mask, ignore: Mask | None = None, *, side: int = SIDE) -> RgbArray:
    """Return the picture beside a grey copy of it in which what was found, too much, missed and ignored is tinted.

    ``pixels``: uint8 (H, W, 3), RGB; the masks are of its size. Each of the two is at most ``side`` pixels long; a
    picture of less than half of that is enlarged by a whole number.
    """
    height, width = pixels.shape[:2]
    scale = float(max(1, side // max(height, width))) if max(height, width) < side else side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_NEAREST if scale >= 1 else cv2.INTER_AREA
    plain = cv2.resize(pixels, size, interpolation=way).astype(np.uint8)
    grey = cv2.cvtColor(cv2.cvtColor(plain, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.uint8)
    inside, wanted = _resized(answer, size), _resized(target, size)
    tints = [(inside & wanted, RIGHT), (inside & ~wanted, EXTRA), (wanted & ~inside, MISSED)]
    if ignore is not None:
        tints.append((_resized(ignore, size), IGNORED))
    for where, colour in tints:
        grey[where] = grey[where] // 2 + np.array(colour, np.uint8) // 2
    return np.hstack([plain, grey])


def _resized(mask: Mask, size: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray(cv2.resize(mask.decode().astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)) > 0


def _section(item: Item, prediction: Prediction, score: Score) -> Section:
    sample = item.sample
    answer = Mask.empty(sample.size) if prediction.failed or prediction.mask is None else prediction.mask
    said = "no readable answer" if score.failed else "the empty answer" if score.empty else "a mask"
    facts = [score.reasoning_type.value if score.reasoning_type else "", f"depth {score.depth}" if score.depth else ""]
    lines = [sample.query.text if sample.query else "(no question)", f"{said}; " + ", ".join(filter(None, facts))]
    return Section(
        heading=f"IoU {score.iou:.3f}",
        lines=[line.rstrip("; ") for line in lines] + ([prediction.text[:LONGEST]] if prediction.text else []),
        small=f"sample {sample.id} {sample.source_name}".rstrip(),
        picture=draw(item.pixels(), answer, sample.target(), sample.ignore),
    )


def _headed(prefix: str, section: Section) -> Section:
    return Section(f"{prefix}: {section.heading}", section.lines, section.small, section.picture)


def _table(evaluation: "Evaluation") -> list[list[str]]:
    """Return the figures as rows of texts, in per cent."""
    rows = [["", "samples", "gIoU", "95 % interval", "cIoU", "boundary IoU"]]
    parts: dict[str, Evaluation | Part] = {"all": evaluation}
    parts |= {**evaluation.by_type, **{f"depth {k}": v for k, v in evaluation.by_depth.items()}}
    for name, part in parts.items():
        interval = evaluation.intervals["giou"] if part is evaluation else getattr(part, "interval", None)
        between = "–" if interval is None else f"{percent(interval[0])} – {percent(interval[1])}"
        row = [percent(part.giou), between, percent(part.ciou), percent(part.boundary_iou)]
        rows.append([name, str(part.n), *row])
    return rows


def percent(value: float | None) -> str:
    """Return a share as text in per cent, with two decimals."""
    return "–" if value is None else f"{100 * value:.2f}"
