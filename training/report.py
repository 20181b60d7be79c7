"""What a run looks like: curves as pictures and as TensorBoard events, answers drawn on their images, one HTML page."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from whyseg.curation.images import RgbArray
from whyseg.curation.report import Section, html_page
from whyseg.schemas import Mask, union
from whyseg.training import data as rows_of
from whyseg.training.gallery import LEGEND, draw
from whyseg.training.run import RunFolder, RunRecord, lines

# Which figures share a picture: its name, and how their names begin.
_PICTURES = (
    ("reward", ("reward", "reward_std")),
    ("terms", ("rewards/",)),
    ("masks", ("rollouts/",)),
    ("length", ("completions/mean_length", "completions/max_length")),
    ("advantages", ("rest/",)),
    ("loss", ("loss", "kl", "entropy", "grad_norm")),
    ("clipping", ("clip_ratio/region_mean", "clip_ratio/low_mean", "clip_ratio/high_mean")),
    ("seconds", ("step_time", "reward_seconds")),
)
_LEAST = 360  # pixels of a drawn answer's longer side, about
_SMOOTHED = 20  # updates that the thick line averages


def write_report(folder: RunFolder) -> Path:
    """Draw a run's curves and answers anew from its lines, and write report.html; return its path."""
    record = folder.read()
    curves = list(lines(folder.curves))
    for name in ("curves", "events", "samples"):
        shutil.rmtree(folder.path / name, ignore_errors=True)
    pictures = _plots(curves, folder.path / "curves") if curves else []
    if curves:
        _events(curves, folder.path / "events")
    sections = [Section(name.capitalize(), [], "", picture) for name, picture in pictures]
    sections += _answers(folder)
    page = html_page(f"{record.preset.name} on {record.data.source}", _lead(record), _table(record, curves), sections)
    path = folder.path / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _plots(curves: Sequence[dict[str, Any]], folder: Path) -> list[tuple[str, RgbArray]]:
    """Write and return a picture for each group of figures that the run has."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    folder.mkdir(parents=True)
    found = []
    for name, beginnings in _PICTURES:
        keys = [key for key in _keys(curves) if _belongs(key, beginnings)]
        if not keys:
            continue
        figure = Figure(figsize=(8, 4), dpi=100, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes = figure.subplots()
        for key in keys:
            points = [(line["update"], line[key]) for line in curves if key in line]
            at, values = np.array(points, float).T
            (thin,) = axes.plot(at, values, alpha=0.3, linewidth=1)
            axes.plot(*_smooth(at, values), color=thin.get_color(), linewidth=2, label=_label(key))
        axes.set_xlabel("update")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
        canvas.draw()
        picture = np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])
        cv2.imwrite(str(folder / f"{name}.png"), picture[..., ::-1])
        found.append((name, picture))
    return found


def _events(curves: Sequence[dict[str, Any]], folder: Path) -> None:
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for line in curves:
            for key, value in line.items():
                if key != "update":
                    writer.add_scalar(key, value, line["update"])


def _answers(folder: RunFolder) -> list[Section]:
    """Draw the answers that were kept, write them as pictures, and return them, the last ones first."""
    kept = list(lines(folder.samples))
    if not kept:
        return []
    data, sections = rows_of.load(folder.data), list[Section]()
    (folder.path / "samples").mkdir()
    for line in sorted(kept, key=lambda one: -one["update"]):
        row = data.rows[line["row"]]
        target = union([one.mask for one in row.target.instances if one.mask], row.target.size)
        answer = union([Mask.parse(mask) for mask in line["masks"]], row.target.size)
        picture = _enlarged(draw(data.picture(line["row"]), answer, target))
        name = f"{line['update']:06d}-{line['rank']}.jpg"
        cv2.imwrite(str(folder.path / "samples" / name), picture[..., ::-1])
        terms = ", ".join(f"{key} {value:g}" for key, value in line["terms"].items())
        heading = f"Before update {line['update'] + 1}, {line['rank']} answer: {line['total']:g}"
        said = line["text"] if len(line["text"]) <= 2000 else line["text"][:2000] + " …"
        sections.append(Section(heading, [row.query, said, terms], f"row {row.ref}", picture))
    return sections


def _enlarged(picture: RgbArray) -> RgbArray:
    """Return a picture with every pixel repeated until it is large enough to be looked at."""
    times = max(1, _LEAST // max(picture.shape[:2]))
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def _table(record: RunRecord, curves: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return the figures at the run's beginning and end, each the mean of a tenth of the updates."""
    tenth = max(1, len(curves) // 10)
    head = ["", f"first {tenth} updates", f"last {tenth} updates"]
    rows = [
        [_label(key), _mean(curves[:tenth], key), _mean(curves[-tenth:], key)]
        for key in _keys(curves)
        if any(_belongs(key, beginnings) for _, beginnings in _PICTURES)
    ]
    return [head, *rows]


def _lead(record: RunRecord) -> str:
    data, plan, preset = record.data, record.plan, record.preset
    kept = f", {preset.grpo.keep} kept" if preset.grpo.keep else ""
    took = f" in {(record.finished_at - record.created_at).total_seconds():.0f} s" if record.finished_at else ""
    left = f", {data.left_out} left out (left_out.jsonl says why)" if data.left_out else ""
    release = f", release {data.release}" if data.release else ""
    again = f"; gone on after updates {', '.join(map(str, record.resumed_at))}" if record.resumed_at else ""
    return (
        f"{plan.updates} updates{took} ({record.state}) on {data.rows} rows{left}; data {data.hash}{release}. "
        f"{preset.grpo.n} rollouts a prompt{kept}, {preset.grpo.prompts_per_step} prompts a step, seed {record.seed}; "
        f"started from {record.start.base}; masks by {record.segmenter or 'nobody'}; commit {record.commit}{again}. "
        f"{LEGEND}."
    )


def _keys(curves: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for line in curves for key in line if not key.endswith("/std")))


def _belongs(key: str, beginnings: Sequence[str]) -> bool:
    return any(key == one or (one.endswith("/") and key.startswith(one)) for one in beginnings)


def _label(key: str) -> str:
    return key.removeprefix("rewards/").removesuffix("/mean")


def _mean(curves: Sequence[dict[str, Any]], key: str) -> str:
    values = [line[key] for line in curves if key in line]
    return f"{sum(values) / len(values):.4g}" if values else "–"


def _smooth(at: Any, values: Any) -> tuple[Any, Any]:
    """Return the running mean of the last updates."""
    width = min(_SMOOTHED, max(1, len(values) // 4))
    sums = np.cumsum(np.concatenate([[0.0], values]))
    means = (sums[width:] - sums[:-width]) / width
    return at[width - 1 :], means
