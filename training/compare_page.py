"""A comparison in words, as a table and as a page: the figures, and the questions on which the two differ most."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from whyseg.curation.blobs import write_atomically
from whyseg.curation.reading import Data, Item
from whyseg.curation.report import Section, html_page
from whyseg.schemas import Mask
from whyseg.training.bootstrap import Comparison, Interval
from whyseg.training.compare import Compared, Figures
from whyseg.training.compare_benchmarks import Rescored
from whyseg.training.evaluate import SCORES
from whyseg.training.gallery import LEGEND, draw, percent
from whyseg.training.metrics import Prediction, Score, answer_of
from whyseg.training.predict import PREDICTIONS
from whyseg.training.predictions import read_predictions

REPORT = "report.html"
SHOWN = 6  # questions on either side
_SIDE = 320  # pixels of a drawing's longer side
_CONCLUSIONS = {
    "gain": "{second} teaches more than {first}",
    "loss": "{second} teaches less than {first}",
    "undecided": "No difference between {first} and {second} that these runs show",
}


def conclusion(found: Compared) -> str:
    """Return what a comparison says, in one sentence."""
    names = {"first": found.setup.first.name, "second": found.setup.second.name}
    said = _CONCLUSIONS[found.conclusion].format(**names)
    alone = "; one seed says nothing of what another would give" if found.spread is None else ""
    return f"{said}: gIoU {_gap(found.together.giou, found.together.intervals['giou'])}{alone}"


def rows(found: Compared) -> list[list[str]]:
    """Return the figures as rows of texts, in per cent, the head first."""
    one, other = found.setup.first.name, found.setup.second.name
    table = [["", "start", one, other, "difference of gIoU", "of cIoU", "p"]]
    for trial in found.trials:
        start = None if trial.start is None else trial.start.giou
        three = [percent(value) for value in (start, trial.first.giou, trial.second.giou)]
        table.append([f"seed {trial.seed}", *three, *_differences(trial.difference)])
    if len(found.trials) > 1:
        starts = [trial.start.giou for trial in found.trials if trial.start]
        sides = ([trial.first.giou for trial in found.trials], [trial.second.giou for trial in found.trials])
        means = [percent(float(np.mean(values)) if values else None) for values in (starts, *sides)]
        table.append(["together", *means, *_differences(found.together)])
    if found.spread is not None:
        spread = found.spread
        told = f"{_signed(spread.mean)} [{_signed(spread.low)}, {_signed(spread.high)}]"
        table.append(["over the seeds", "", "", "", told, "", ""])
    if found.unlike is not None:
        table.append(["without near-duplicates", "", "", "", *_differences(found.unlike)])
    return table


def benchmark_rows(found: Rescored) -> list[list[str]]:
    """Return what a policy scores on two versions as rows of texts, in per cent, the head first."""
    table = [["", "samples", "gIoU", "95 % interval", "cIoU"]]
    for side, figures in ((found.setup.first, found.first), (found.setup.second, found.second)):
        table.append([side.name, str(side.samples), *_figures(figures)])
    if found.shared is not None:
        gap, interval, ciou = found.shared.giou, found.shared.intervals["giou"], found.shared.ciou
        between = "–" if interval is None else f"{_signed(interval[0])} – {_signed(interval[1])}"
        table.append(["difference on shared ones", str(found.shared.n), _signed(gap), between, _signed(ciou)])
    return table


def write_page(found: Compared, held_out: Data, out: Path) -> Path:
    """Write the page of a comparison into its folder; return its path."""
    setup = found.setup
    lead = (
        f"{conclusion(found)}. Recipe {setup.recipe}, preset {setup.preset.name}, seeds "
        f"{', '.join(str(trial.seed) for trial in found.trials)}; {setup.first.samples} and {setup.second.samples} "
        f"samples to learn from, {found.trials[0].difference.n} held-out questions of {setup.held_out.name}, "
        f"{found.near_duplicates} of their {setup.held_out.images} pictures resemble a trained one. All in per cent; "
        f"brackets are 95 % intervals over pictures, over the seeds Student's. On the pictures, above the policy of "
        f"{setup.first.name}, below that of {setup.second.name}, seed {found.trials[0].seed}. {LEGEND}."
    )
    title = f"{setup.second.name} beside {setup.first.name}"
    path = out / REPORT
    write_atomically(path, html_page(title, lead, rows(found), _sections(found, held_out, out)).encode())
    return path


def write_benchmark_page(found: Rescored, out: Path) -> Path:
    """Write the page of two versions of a benchmark into its folder; return its path."""
    setup = found.setup
    lead = (
        f"The same answers of {setup.policy}, scored on both; protocol {setup.protocol}. {found.reworded} questions "
        f"were reworded and asked anew, {found.added} samples came, {found.removed} went. All in per cent, intervals "
        f"of 95 % over pictures."
    )
    title = f"{setup.second.name} beside {setup.first.name}, as benchmarks"
    write_atomically(out / REPORT, html_page(title, lead, benchmark_rows(found), []).encode())
    return out / REPORT


def _sections(found: Compared, held_out: Data, out: Path) -> list[Section]:
    """Return the questions on which the second gains most, then those on which it loses most."""
    gains = _gains(found, out)
    order = sorted(gains, key=lambda key: -gains[key])
    chosen = [key for key in order[:SHOWN] if gains[key] > 0] + [key for key in order[-SHOWN:] if gains[key] < 0]
    seed = found.trials[0].seed
    first, second = (read_predictions(out / "answers" / f"{side}-{seed}" / PREDICTIONS) for side in ("first", "second"))
    items = {item.sample.id: item for item in held_out.items(found.setup.held_out.split) if item.sample.id in chosen}
    return [_section(items[key], gains[key], first, second) for key in chosen]


def _gains(found: Compared, out: Path) -> dict[str, float]:
    """Return by how much the second's IoU is higher, for each question the mean over the seeds."""
    gains = defaultdict[str, float](float)
    for trial in found.trials:
        for side, sign in (("first", -1), ("second", 1)):
            lines = (out / "answers" / f"{side}-{trial.seed}" / SCORES).read_text().splitlines()
            for score in map(Score.parse, lines):
                gains[score.sample_id] += sign * score.iou / len(found.trials)
    return gains


def _section(item: Item, gain: float, first: Mapping[str, Prediction], second: Mapping[str, Prediction]) -> Section:
    sample, pixels = item.sample, item.pixels()
    drawn = []
    for answers in (first, second):
        given = answers.get(sample.id) or Prediction(sample_id=sample.id, failed=True)
        mask = answer_of(given, sample.size) or Mask.empty(sample.size)
        drawn.append(draw(pixels, mask, sample.target(), sample.ignore, side=_SIDE))
    query = sample.query.text if sample.query else "(no question)"
    return Section(
        f"IoU {_signed(gain)}", [query], f"sample {sample.id} {sample.source_name}".rstrip(), np.vstack(drawn)
    )


def _differences(found: Comparison) -> list[str]:
    chance = "–" if found.p_value is None else f"{found.p_value:.3f}"
    return [_gap(found.giou, found.intervals["giou"]), _gap(found.ciou, found.intervals["ciou"]), chance]


def _figures(figures: Figures) -> list[str]:
    interval = figures.interval
    between = "–" if interval is None else f"{percent(interval[0])} – {percent(interval[1])}"
    return [percent(figures.giou), between, percent(figures.ciou)]


def _gap(value: float | None, interval: Interval | None) -> str:
    return _signed(value) + ("" if interval is None else f" [{_signed(interval[0])}, {_signed(interval[1])}]")


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.2f}"
