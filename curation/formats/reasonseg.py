"""LISA's ReasonSeg layout, in and out: ``X.jpg`` with ``X.json`` beside it, in folders named after splits.

The JSON holds ``text`` (the question, and paraphrases of it), ``is_sentence``, and ``shapes``: polygons with a label,
of which "flag" is passed over, any with "ignore" in it marks pixels that do not count, and every other is the target.
Polygons become pixels by LISA's own rule, see `lisa`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from whyseg.curation.exporting import REWRITTEN, Loss, Part, Row, plan_evenly
from whyseg.curation.formats import lisa, own
from whyseg.curation.formats.packed import (
    instance_ids,
    packed_in,
    packed_row,
    picture_of,
    readable_name,
    restored,
)
from whyseg.curation.formats.polygons import FEWEST, Patch, cut, merged, trace_pixels
from whyseg.curation.formats.shape_files import (
    Shape,
    drawing_remarks,
    dropped_remark,
    home_of,
    is_json,
    read_json,
    require_paintable,
    shapes_of,
    shown,
)
from whyseg.curation.formats.split_names import split_of
from whyseg.curation.images import printable
from whyseg.curation.intake import ImportReport, Intake, Remark, WorkspaceIntake
from whyseg.curation.sources import File, Listing, Refusal
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Image, Instance, Mask, Origin, Query, QueryOrigin, Release, ReleaseItem, Sample, source_key
from whyseg.schemas.errors import InvalidRecord, RefusedInput
from whyseg.schemas.image import Split

SOURCE = "reasonseg"
_FOLDERS: dict[Split, str] = {"train": "train", "validation": "val", "test": "test"}
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif")  # LISA's own comes first
_TARGET = "target"
_IGNORE = "ignore"


def import_reasonseg(
    workspace: Workspace,
    source: Path,
    *,
    author: str,
    license: str | None = None,
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
) -> ImportReport:
    """Take in a folder or zip archive in LISA's layout, or one of its JSON files; one sample a JSON.

    Safe to repeat: what is there already is skipped. Pictures are looked for beside their JSON, under ``.jpg`` or
    another suffix; a folder named after a split puts its samples there. A JSON without target polygons becomes a
    no-target candidate with a finding. What `ReasonSegWriter` wrote comes back as the same samples, with the pixels of
    the polygons as they are now. Raises as `import_images` does.
    """
    intake = WorkspaceIntake(workspace, author=author, license=license, dry_run=dry_run)
    return intake.run(walk_reasonseg(intake, source, progress))


def walk_reasonseg(intake: Intake, source: Path, progress: Callable[[str], None] | None = None) -> Iterator[None]:
    """Take in one file after the other; each step is one of them. Raises ``UsageError`` where there is no source."""
    home, pictures = home_of(source), set[str]()
    with Listing(source) as listing:
        for found in listing.found:
            if isinstance(found, Refusal):
                intake.refuse(found.file, found.reason)
            elif found is not None and is_json(found.name):
                if progress:
                    progress(found.name)
                _take(intake, found, listing, pictures, home)
                yield
        others = {found.name for found in listing.found if isinstance(found, File) and not is_json(found.name)}
        intake.ignored += len(others - pictures) + listing.found.count(None)


def _take(intake: Intake, file: File, listing: Listing, pictures: set[str], home: str) -> None:
    """Take in the sample of one JSON file, or refuse it."""
    try:
        data = read_json(file)
        beside = _picture_beside(file, listing)
        if beside is not None:
            pictures.add(beside.name)
        keys = data.keys() & {"text", "shapes"} if isinstance(data, dict) else set()
        if beside is None and not keys:
            intake.ignored += 1
            return
        if len(keys) < 2:
            raise RefusedInput(file.name, f"no file of LISA's, which hold 'text' and 'shapes'{_labelme_hint(keys)}")
        if beside is None:
            stem = PurePosixPath(file.name).stem
            raise RefusedInput(file.name, f"its picture {stem}.jpg is missing beside it, under any suffix")
        packed = packed_in(data)
        name, license = picture_of(packed)
        split = split_of([home, *PurePosixPath(file.name).parts[:-1]])
        try:
            kept = split if packed else None
            picture = intake.picture(beside.read(None), name or beside.name, license=license, split=kept)
        except RefusedInput as error:
            raise RefusedInput(file.name, f"its picture {beside.name}: {error.reason}") from error
        sample, remarks = _sample(data, packed, picture.image, printable(file.name)[:1000], split)
    except RefusedInput as error:
        intake.refuse(error.name, error.reason)
    except InvalidRecord as error:
        intake.refuse(file.name, str(error))
    else:
        intake.take(file.name, picture, [sample], [Remark(sample.id, **remark) for remark in remarks])


def _labelme_hint(keys: set[str]) -> str:
    return "; labelme's own files come in with: whyseg import labelme" if keys == {"shapes"} else ""


def _picture_beside(file: File, listing: Listing) -> File | None:
    """Return the picture of a JSON's name."""
    stem = str(PurePosixPath(file.name).with_suffix(""))
    names = (stem + suffix for known in _SUFFIXES for suffix in (known, known.upper()))
    return next((found for name in names if (found := listing.get(name))), None)


def _sample(
    data: dict[str, Any], packed: dict[str, Any] | None, image: Image, name: str, split: Split | None
) -> tuple[Sample, list[dict[str, Any]]]:
    """Return the sample that a file describes, and what there is to remark on it."""
    texts, sentence = _texts(data)
    shapes = [shape for shape in shapes_of(data) if not lisa.skips(shape.label)]
    drawn = [shape for shape in shapes if len(shape.points) >= FEWEST]
    require_paintable([shape.points for shape in drawn], image.size)
    ignored = [lisa.ignores(shape.label) for shape in drawn]
    patches, region = lisa.overlay([lisa.paint(shape.points, image.size) for shape in drawn], ignored, image.size)
    ignore = region.mask(image.size) if any(ignored) else None
    targets = [shape for shape, out in zip(drawn, ignored, strict=True) if not out]
    remarks = []
    if len(drawn) < len(shapes):
        remarks.append(_remark(dropped_remark([one for one in shapes if len(one.points) < FEWEST]), "dropped_part"))
    if packed is not None:
        masks = _by_instance(packed, targets, patches, image.size)
        sample, changes = _ours(packed, image, texts, sentence, masks, ignore)
        return sample, remarks + changes
    remarks += [_remark(text, "polygon") for text in drawing_remarks(drawn, image.size, "LISA")]
    if not texts:
        remarks.append(_remark("the file holds no question", "no_question", "warning"))
    if not targets:
        remarks.append(_remark("no polygon marks a target: perhaps nothing answers it", "no_polygons", "warning"))
    content = {
        "text": texts,
        "is_sentence": sentence,
        "shapes": [[shape.label, shape.points.tolist()] for shape in shapes],
    }
    sample = Sample.start(
        image.id,
        image.size,
        source=SOURCE,
        source_record=source_key(content),
        source_name=name,
        split=split,
        query=_query(texts, sentence),
        instances=[
            Instance.parse({"id": number, "mask": patch.mask(image.size), "label": _label(shape), "origin": _IMPORTED})
            for number, (shape, patch) in enumerate(zip(targets, patches, strict=True), 1)
        ],
        ignore=ignore,
        no_target=not targets and len(drawn) == len(shapes),
    )
    empty = [instance.id for instance in sample.instances if not instance.mask.area]
    if empty:
        remarks.append(_remark(f"no pixel is left of instance(s) {', '.join(map(str, empty))}", "empty", "warning"))
    return sample, remarks


_IMPORTED = Origin(kind="import")


def _remark(message: str, kind: str, severity: str = "info") -> dict[str, Any]:
    return {"message": message, "kind": kind, "severity": severity}


def _texts(data: dict[str, Any]) -> tuple[list[str], bool]:
    """Return the question with its paraphrases, none of them empty, and whether it is a sentence."""
    found, sentence = data["text"], data.get("is_sentence", True)
    texts = [found] if isinstance(found, str) else found
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise InvalidRecord(f"'text' is a list of texts, got {shown(found)}")
    if not isinstance(sentence, bool):
        raise InvalidRecord(f"'is_sentence' is true or false, got {shown(sentence)}")
    return [stripped for text in texts if (stripped := text.strip())], sentence


def _query(texts: Sequence[str], sentence: bool) -> Query | None:
    if not texts:
        return None
    origin = QueryOrigin(kind="import")
    return Query.parse({"text": texts[0], "is_sentence": sentence, "alternates": texts[1:], "origin": origin})


def _label(shape: Shape) -> str:
    """Return what a label says beside that it is the target."""
    label = shape.label.strip()
    return "" if label.lower() == _TARGET else label


def _by_instance(
    packed: dict[str, Any], targets: Sequence[Shape], patches: Sequence[Patch], size: tuple[int, int]
) -> dict[int, Mask]:
    """Return the masks of our own file's instances; a shape without a group is a new one."""
    found: dict[int, list[Patch]] = {}
    for key, patch in zip(instance_ids(packed, [shape.group for shape in targets]), patches, strict=True):
        found.setdefault(key, []).append(patch)
    return {key: merged(some).mask(size) for key, some in found.items()}


def _ours(
    packed: dict[str, Any],
    image: Image,
    texts: Sequence[str],
    sentence: bool,
    masks: dict[int, Mask],
    ignore: Mask | None,
) -> tuple[Sample, list[dict[str, Any]]]:
    """Return the sample of our own file; pixels and question are what its shapes and texts say now."""
    sample, changes = restored(packed, image, masks, ignore)
    query = sample.query
    if query is None or [query.text, *query.alternates] != texts or query.is_sentence != sentence:
        sample = sample.model_copy(update={"query": _query(texts, sentence)})
        changes.append("the question is another than it was")
    return sample, [_remark(change, "import", "warning") for change in changes]


class ReasonSegWriter:
    """Writes LISA's layout: folders train, val and test with a picture and a JSON for each sample.

    Every picture lies under ``.jpg``, which LISA looks for; it and all other readers go by the content. The polygons
    are traced for LISA's rule, parts as shapes of one ``group_id``, holes over bridges.
    """

    format = "reasonseg"
    limits: tuple[str, ...] = (
        "reviews and earlier revisions",
        "instances, labels, reasoning type, hops and depth but under 'whyseg', which LISA passes over",
    )

    def options(self) -> dict[str, object]:
        """Return nothing: there is no choice."""
        return {}

    def plan(self, items: Sequence[ReleaseItem]) -> list[Part]:
        """Cut the items into parts of a hundred."""
        return plan_evenly(items)

    def write(self, part: Part, rows: Iterator[Row], folder: Path) -> tuple[int, list[Loss]]:
        """Write the pictures and JSON files of a part."""
        count, losses = 0, list[Loss]()
        for row in rows:
            if reason := _unwritable(row.sample):
                kept = 0.0 if row.sample.target().area else None
                losses.append(Loss(sample_id=row.sample.id, what=f"left out: {reason}", iou=kept))
                continue
            home = folder / _FOLDERS[row.split]
            home.mkdir(parents=True, exist_ok=True)
            data, lost = _document(row)
            name = readable_name(row)
            (home / f"{name}.jpg").write_bytes(row.picture[0])
            (home / f"{name}.json").write_text(json.dumps(data), encoding="ascii")
            losses += lost
            count += 1
        return count, losses

    def finish(self, release: Release, parts: Sequence[Part], folder: Path) -> None:
        """Write nothing: no file speaks of all parts."""


def _unwritable(sample: Sample) -> str | None:
    """Say why LISA's layout cannot hold a sample."""
    if sample.query is None:
        return "it has no question, and LISA reads none without"
    if not sample.no_target and not any(instance.mask.area for instance in sample.instances):
        return "it has no mask, which LISA reads as a question that nothing answers"
    return None


def _document(row: Row) -> tuple[dict[str, Any], list[Loss]]:
    """Return the content of a sample's JSON file, and what of its pixels it does not carry."""
    sample, losses = row.sample, list[Loss]()
    assert sample.query is not None  # else it is left out
    if row.rewritten:
        losses.append(Loss(sample_id=sample.id, what=REWRITTEN))
    if row.picture[1] == ".gif":
        losses.append(Loss(sample_id=sample.id, what="the picture is a GIF, which OpenCV reads from 4.11 on"))
    target, ignore = sample.target(), sample.ignore
    if ignore is not None and ignore.area and _overlap(target, ignore):
        ignore = Mask.encode(ignore.decode() & ~target.decode())
        losses.append(Loss(sample_id=sample.id, what="pixels that are target and ignored are target alone"))
    masks: list[tuple[str, int | None, Mask]] = [(_TARGET, one.id, one.mask) for one in sample.instances]
    masks += [(_IGNORE, None, ignore)] if ignore is not None else []
    shapes = []
    for label, group, mask in masks:
        patch = cut(mask)
        rings = trace_pixels(patch)
        painted = merged([lisa.paint(ring, mask.size) for ring in rings] or [patch])
        if not painted.same(patch):
            iou = painted.mask(mask.size).iou(mask)
            losses.append(Loss(sample_id=sample.id, what=f"pixels of {label} {group or ''}".rstrip(), iou=iou))
        shapes += [
            {"label": label, "points": ring.tolist(), "group_id": group, "shape_type": "polygon", "flags": {}}
            for ring in rings
        ]
    return {
        "text": [sample.query.text, *sample.query.alternates],
        "is_sentence": sample.query.is_sentence,
        "shapes": shapes,
        own.KEY: packed_row(row),
    }, losses


def _overlap(one: Mask, other: Mask) -> bool:
    return bool((one.decode() & other.decode()).any())
