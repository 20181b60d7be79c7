"""What a policy is trained on: pictures on the policy's canvas, questions, and targets in that canvas.

Data is read once, whatever its layout, and laid down in a folder of the run: pictures squashed once instead of once a
rollout, and nothing that changes elsewhere changes a run that goes on. What cannot be trained on is listed with the
reason. As in the papers' own training sets, masks are squashed with their pictures, and boxes and points follow from
the squashed masks; rewards know no ignore regions.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PilImage
from pydantic import Field

from whyseg.curation.blobs import write_atomically
from whyseg.curation.formats.geometry import picture_png, pixels_of
from whyseg.curation.formats.grpo import framed
from whyseg.curation.reading import Data, Item
from whyseg.schemas import Instance, Mask, Record, Split, content_hash
from whyseg.schemas.errors import InvalidRecord, RefusedInput, UsageError
from whyseg.training.frames import Frame
from whyseg.training.pictures import RgbArray, squashed
from whyseg.training.presets import Preset
from whyseg.training.targets import Target, TargetInstance

_ROWS, _LEFT_OUT, _FACTS = "rows.jsonl", "left_out.jsonl", "data.json"


class TrainRow(Record):
    """A question to train on. ``image``: the picture's file, in the data's folder; ``target`` is in its pixels.

    ``ref``: what the row is called where it comes from, a sample's id or a file and row.
    """

    ref: str
    query: str
    image: str
    target: Target


class LeftOut(Record):
    """A row that is not trained on, and why."""

    ref: str
    reason: str


class DataFacts(Record):
    """What was read, for the run's record. ``hash``: of all rows with their pictures; ``release``: the release's hash.

    ``other_splits``: rows that belong to other splits; ``with_ignore``: rows whose ignore region is paid no heed.
    """

    source: str
    layout: str
    split: Split
    hash: str
    release: str | None = None
    rows: int
    left_out: int
    other_splits: dict[str, int] = Field(default_factory=dict)
    with_ignore: int = 0


@dataclass(frozen=True)
class TrainData:
    """Rows to train on, what was left out, and the folder in which the pictures lie."""

    folder: Path
    rows: tuple[TrainRow, ...]
    left_out: tuple[LeftOut, ...]
    facts: DataFacts

    def picture(self, number: int) -> RgbArray:
        """Return a row's picture, uint8 (H, W, 3), as the policy sees it."""
        with PilImage.open(self.folder / self.rows[number].image) as picture:
            return np.asarray(picture.convert("RGB"))


def prepare(
    data: Data,
    preset: Preset,
    folder: Path,
    *,
    split: Split = "train",
    release: str | None = None,
    tokens: Callable[[str], int] | None = None,
    told: Callable[[int], None] = lambda rows: None,
) -> TrainData:
    """Lay down what a preset can be trained on in a folder; what lies there complete is taken as it is.

    Rows whose source names no split belong to whichever is asked for. ``tokens`` counts those of a question's prompt
    with its picture, of which a preset allows so many. ``told`` hears how many rows were read. Raises ``UsageError``
    when nothing is left to train on.
    """
    if (folder / _FACTS).exists():
        return load(folder)
    rows, left, others, ignoring = list[TrainRow](), list[LeftOut](), Counter[str](), 0
    for number, item in enumerate(data.items(), 1):
        told(number)
        if item.split not in (None, split):
            others[str(item.split)] += 1
            continue
        found = _too_long(item, preset, tokens) or _row(item, preset, folder)
        if isinstance(found, LeftOut):
            left.append(found)
        else:
            rows.append(found)
            ignoring += item.sample.ignore is not None
    left += [LeftOut(ref=refusal.file, reason=refusal.reason) for refusal in data.refused]
    if not rows:
        raise UsageError(f"{data.name} has nothing to train on: {_why(left, others, split)}")
    facts = DataFacts(
        source=data.name,
        layout=data.layout,
        split=split,
        hash=content_hash([row.plain() for row in rows]),
        release=release,
        rows=len(rows),
        left_out=len(left),
        other_splits=dict(others),
        with_ignore=ignoring,
    )
    _put_lines(folder / _ROWS, rows)
    _put_lines(folder / _LEFT_OUT, left)
    write_atomically(folder / _FACTS, facts.model_dump_json(indent=2).encode())  # last: it says that all is there
    return TrainData(folder, tuple(rows), tuple(left), facts)


def load(folder: Path) -> TrainData:
    """Return what `prepare` has laid down in a folder."""
    rows = tuple(TrainRow.parse(line) for line in _lines(folder / _ROWS))
    left = tuple(LeftOut.parse(line) for line in _lines(folder / _LEFT_OUT))
    return TrainData(folder, rows, left, DataFacts.parse((folder / _FACTS).read_bytes()))


def _too_long(item: Item, preset: Preset, tokens: Callable[[str], int] | None) -> LeftOut | None:
    if tokens is None or item.sample.query is None:
        return None
    count, most = tokens(item.sample.query.text), preset.grpo.max_prompt_tokens
    return LeftOut(ref=_ref(item), reason=f"its prompt has {count} tokens, at most {most}") if count > most else None


def _ref(item: Item) -> str:
    return item.name or item.sample.id


def _row(item: Item, preset: Preset, folder: Path) -> TrainRow | LeftOut:
    sample, ref = item.sample, _ref(item)
    if sample.query is None:
        return LeftOut(ref=ref, reason="it has no question")
    if sample.no_target and not preset.reward.no_target:
        return LeftOut(ref=ref, reason=f"nothing answers it, and {preset.name} has no reward for that")
    if preset.reward.single_object and len(sample.instances) != 1:
        return LeftOut(ref=ref, reason=f"{len(sample.instances)} objects answer it, {preset.name} takes one")
    try:
        instances = tuple(_instance(one, preset, sample.size) for one in sample.instances)
        if not instances and not sample.no_target:
            return LeftOut(ref=ref, reason="it has no mask, and is not marked as having no target")
        side = preset.policy.canvas
        size = (side, side) if side else sample.size
        image = _put_picture(item, side, folder)
    except (InvalidRecord, RefusedInput) as error:
        return LeftOut(ref=ref, reason=str(error))
    return TrainRow(ref=ref, query=sample.query.text, image=image, target=Target(size=size, instances=instances))


def _instance(instance: Instance, preset: Preset, size: tuple[int, int]) -> TargetInstance:
    """Return an instance on the canvas; of a set that has boxes and points only, those.

    Raises ``InvalidRecord`` for one that has neither a mask nor box and point, or no mask where masks are rewarded.
    """
    side = preset.policy.canvas
    if instance.mask.area:
        mask = instance.mask
        if side and mask.size != (side, side):
            mask = Mask.encode(framed(pixels_of(mask), side))
        return TargetInstance.of_mask(mask, instance.label)
    box, points = instance.prompt.box, [point for point in instance.prompt.points if point.positive]
    if preset.reward.needs_masks or box is None or not points:
        raise InvalidRecord(f"instance {instance.id} has no mask")
    if "point_l1" in preset.reward.active_terms() and len(points) < 2:
        raise InvalidRecord(f"instance {instance.id} has one point and no mask to take a second from")
    frame = Frame(f"canvas_{side}") if side else Frame("pixels")
    corners = frame.from_pixels((box.x0, box.y0, box.x1, box.y1), size).tolist()
    placed = tuple(tuple(frame.from_pixels((point.x, point.y), size).tolist()) for point in points)
    return TargetInstance.parse({"box": corners, "points": placed, "label": instance.label})


def _put_picture(item: Item, canvas: int | None, folder: Path) -> str:
    """Write a picture as the policy sees it, once for all questions about it; return its name below the folder."""
    name = f"images/{item.image.id[:32]}.png"
    path = folder / name
    if not path.exists():
        write_atomically(path, picture_png(squashed(item.pixels(), canvas)))
    return name


def _why(left: list[LeftOut], others: Counter[str], split: Split) -> str:
    said = [f"{count} rows are of {name}, asked was {split}" for name, count in sorted(others.items())]
    said += [f"{count} rows: {reason}" for reason, count in Counter(one.reason for one in left).most_common(3)]
    return "; ".join(said) or "it has no rows"


def _put_lines(path: Path, records: list[TrainRow] | list[LeftOut]) -> None:
    write_atomically(path, "".join(record.model_dump_json() + "\n" for record in records).encode())


def _lines(path: Path) -> Iterator[str]:
    yield from (line for line in path.read_text("utf-8").split("\n") if line)
