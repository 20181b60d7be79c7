"""labelme's JSON files: shapes on a picture into draft samples, and whyseg's own exports back.

Shapes become pixels as labelme itself draws them, see `labelme_shapes`. Those with one label and one ``group_id`` are
one instance; a label with "ignore" in it, such as ``__ignore__``, marks pixels that do not count.
"""

import base64
import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

import numpy as np

from whyseg.curation.formats import lisa
from whyseg.curation.formats.labelme_shapes import POINTS, paint, reach
from whyseg.curation.formats.labelme_writer import LabelmeWriter as LabelmeWriter
from whyseg.curation.formats.labelme_writer import written_label
from whyseg.curation.formats.packed import instance_ids, packed_in, picture_of, restored
from whyseg.curation.formats.polygons import Patch, merged
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
from whyseg.curation.images import printable, read_upright
from whyseg.curation.intake import ImportReport, Intake, Picture, Remark, WorkspaceIntake
from whyseg.curation.sources import File, Listing, Refusal
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Image, Instance, Mask, Origin, Sample, Split, source_key
from whyseg.schemas.errors import InvalidRecord, RefusedInput
from whyseg.schemas.mask import BoolArray

SOURCE = "labelme"
Group = Literal["category", "instance"]
_IMPORTED = Origin(kind="import")
_POLYGONS = ("polygon", "oriented_rectangle")
_LONGEST_NOTE = 1000
MAX_BITMAPS = 2**30  # pixels of all mask shapes of a file


@dataclass(frozen=True, eq=False)
class _Drawing:
    """What a file's shapes paint: those of targets, those left out, and the ignore region with its shapes."""

    targets: list[tuple[Shape, Patch]]
    ignored: list[tuple[Shape, Patch]]
    dropped: list[Shape]


def import_labelme(
    workspace: Workspace,
    source: Path,
    *,
    author: str,
    group: Group = "category",
    license: str | None = None,
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
) -> ImportReport:
    """Take in a folder or zip archive of labelme's JSON files, or one of them.

    Each label on a picture becomes a draft sample without a question, with ``group`` "instance" each of its instances.
    Safe to repeat: what is there already is skipped. The picture is the one at ``imagePath``, else the one in
    ``imageData``. What `LabelmeWriter` wrote comes back as the same samples, with the pixels and labels of the shapes
    as they are now. Raises as `import_images` does.
    """
    intake = WorkspaceIntake(workspace, author=author, license=license, dry_run=dry_run)
    return intake.run(walk_labelme(intake, source, group, progress))


def walk_labelme(
    intake: Intake, source: Path, group: Group = "category", progress: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Take in one file after the other; each step is one of them. Raises ``UsageError`` where there is no source."""
    home, pictures = home_of(source), set[str]()
    with Listing(source) as listing:
        for found in listing.found:
            if isinstance(found, Refusal):
                intake.refuse(found.file, found.reason)
            elif found is not None and is_json(found.name):
                if progress:
                    progress(found.name)
                split = split_of([home, *PurePosixPath(found.name).parts[:-1]])
                _take(intake, found, listing, pictures, group, split)
                yield
        others = {found.name for found in listing.found if isinstance(found, File) and not is_json(found.name)}
        intake.ignored += len(others - pictures) + listing.found.count(None)


def _take(intake: Intake, file: File, listing: Listing, pictures: set[str], group: Group, split: Split | None) -> None:
    """Take in the samples of one JSON file, or refuse it."""
    try:
        data = read_json(file)
        keys = data.keys() & {"shapes", "imagePath"} if isinstance(data, dict) else set()
        if not keys:
            intake.ignored += 1
            return
        if len(keys) < 2:
            hint = "; LISA's come in with: whyseg import reasonseg" if "text" in data else ""
            raise RefusedInput(file.name, f"no file of labelme's, which hold 'shapes' and 'imagePath'{hint}")
        packed = packed_in(data)
        picture = _picture(intake, file, data, packed, listing, pictures, split)
        drawing = _drawing(data, picture.image.size)
        if packed is not None:
            sample, remarks = _ours(packed, picture.image, drawing)
            intake.take(file.name, picture, [sample], remarks)
            return
        name = printable(file.name)[:1000]
        drafts = list(_drafts(data, drawing, picture.image, group, name, split))
    except RefusedInput as error:
        intake.refuse(error.name, error.reason)
    except InvalidRecord as error:
        intake.refuse(file.name, str(error))
    else:
        _take_drafts(intake, file, picture, drawing, drafts)


def _take_drafts(
    intake: Intake, file: File, picture: Picture, drawing: _Drawing, drafts: list[tuple[Sample, list[Remark]]]
) -> None:
    samples, remarks = [sample for sample, _ in drafts], [remark for _, some in drafts for remark in some]
    if drawing.dropped:
        text = dropped_remark(drawing.dropped)
        if samples:
            remarks.append(Remark(samples[0].id, text, kind="dropped_part"))
        else:
            intake.note(file.name, text)
    if samples:
        intake.take(file.name, picture, samples, remarks)
    else:
        intake.ignored += 1
        intake.note(file.name, "no shape marks a target: there is nothing to take in")


def _picture(
    intake: Intake,
    file: File,
    data: dict[str, Any],
    packed: dict[str, Any] | None,
    listing: Listing,
    pictures: set[str],
    split: Split | None,
) -> Picture:
    """Return the picture that a file speaks of; raises ``RefusedInput`` where it is missing or not what the file says.

    ``pictures`` gains the name of the one that was used.
    """
    path, embedded = _image_path(file, data["imagePath"]), data.get("imageData")
    if embedded is not None and not isinstance(embedded, str):
        raise RefusedInput(file.name, f"'imageData' is a text or null, got {shown(embedded)}")
    if path is None and not embedded:
        reason = f"imagePath {shown(data['imagePath'])} leads out of its folder, beyond what is imported"
        raise RefusedInput(file.name, reason)
    beside = listing.get(path) if path else None
    path = path or PureWindowsPath(data["imagePath"]).name or file.name
    if beside is not None:
        pictures.add(beside.name)
        content = beside.read(None)
    elif embedded:
        content = _decoded(file.name, "'imageData'", embedded)
    else:
        raise RefusedInput(file.name, f"its picture {printable(path)} is missing, and 'imageData' is empty")
    name, license = picture_of(packed)
    try:
        picture = intake.picture(content, name or path, license=license, split=split if packed else None)
    except RefusedInput as error:
        raise RefusedInput(file.name, f"its picture {printable(path)}: {error.reason}") from error
    size = picture.image.size
    said = [data.get(key) for key in ("imageHeight", "imageWidth")]
    if any(one is not None and one != there for one, there in zip(said, size, strict=True)):
        told = "×".join(shown(one) for one in said)
        reason = f"imageHeight × imageWidth say {told}, the picture {printable(path)} has {size[0]}×{size[1]}"
        raise RefusedInput(file.name, reason)
    return picture


def _image_path(file: File, value: Any) -> str | None:
    """Return where in the source the picture lies; None for paths that lead out of it.

    labelme writes the way from the JSON to the picture: "../images/a.jpg" where the two have folders of their own.
    """
    if not isinstance(value, str) or not value or "\0" in value:
        raise RefusedInput(file.name, f"'imagePath' is a file's name, got {shown(value)}")
    windows = PureWindowsPath(value)  # labelme on Windows writes backslashes
    path = PurePosixPath(windows.as_posix())
    if path.is_absolute() or windows.drive:
        return None
    found = posixpath.normpath(posixpath.join(posixpath.dirname(file.name), str(path)))
    return None if found == ".." or found.startswith("../") else found


def _decoded(name: str, what: str, text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except ValueError as error:
        raise RefusedInput(name, f"{what} is no base64: {error}") from error


def _drawing(data: dict[str, Any], size: tuple[int, int]) -> _Drawing:
    """Paint a file's shapes; raises ``InvalidRecord`` that names the one that cannot be painted."""
    targets, ignored = list[tuple[Shape, Patch]](), list[tuple[Shape, Patch]]()
    dropped, whole = list[Shape](), list[Shape]()
    for shape in shapes_of(data):
        if shape.kind not in POINTS:
            raise InvalidRecord(f"shape {shape.number} is of type {shown(shape.kind)}, none of {', '.join(POINTS)}")
        fewest, most = POINTS[shape.kind]
        if most is not None and len(shape.points) > most:
            raise InvalidRecord(f"shape {shape.number}: a {shape.kind} has {most} points, got {len(shape.points)}")
        (whole if len(shape.points) >= fewest else dropped).append(shape)
    require_paintable([reach(shape.kind, shape.points) for shape in whole], size)
    bitmaps = 0
    for shape in whole:
        try:
            bitmap = _bitmap(shape)
            patch = paint(shape.kind, shape.points, size, bitmap)
        except InvalidRecord as error:
            raise InvalidRecord(f"shape {shape.number}: {error}") from error
        bitmaps += 0 if bitmap is None else bitmap.size
        if bitmaps > MAX_BITMAPS:
            raise InvalidRecord(f"the masks of its shapes hold more than {MAX_BITMAPS} pixels together")
        (ignored if lisa.ignores(shape.label) else targets).append((shape, patch))
    return _Drawing(targets, ignored, dropped)


def _bitmap(shape: Shape) -> BoolArray | None:
    """Return a mask shape's own pixels, bool (h, w); None for other shapes."""
    if shape.kind != "mask":
        return None
    name, text = f"the mask of shape {shape.number}", shape.data.get("mask")
    if not isinstance(text, str):
        raise InvalidRecord(f"'mask' is a text, got {shown(text)}")
    try:
        pixels = read_upright(_decoded(name, "its PNG", text), name).pixels
        return np.asarray(pixels.any(axis=2), bool)
    except RefusedInput as error:
        raise InvalidRecord(error.reason) from error


def _ignore(drawing: _Drawing, size: tuple[int, int]) -> Mask | None:
    patches = [patch for _, patch in drawing.ignored]
    return merged(patches).mask(size) if patches else None


def _drafts(
    data: dict[str, Any], drawing: _Drawing, image: Image, group: Group, name: str, split: Split | None
) -> Iterator[tuple[Sample, list[Remark]]]:
    """Yield a file's samples, each with what there is to remark on it."""
    ignore = _ignore(drawing, image.size)
    instances: dict[tuple[str, int | str], list[tuple[Shape, Patch]]] = {}
    for shape, patch in drawing.targets:
        key = f"shape {shape.number}" if shape.group is None else shape.group
        instances.setdefault((shape.label.strip(), key), []).append((shape, patch))
    samples: dict[tuple[str, int | str], list[list[tuple[Shape, Patch]]]] = {}
    for (label, key), members in instances.items():
        samples.setdefault((label, key if group == "instance" else ""), []).append(members)
    for (label, _), found in samples.items():
        sample = Sample.start(
            image.id,
            image.size,
            source=SOURCE,
            source_record=source_key({"label": label, "instances": [_content(members) for members in found]}),
            source_name=name,
            split=split,
            instances=[_instance(number, label, members, image) for number, members in enumerate(found, 1)],
            ignore=ignore,
        )
        drawn = [shape for members in found for shape, _ in members]
        polygons = [shape for shape in drawn + [one for one, _ in drawing.ignored] if shape.kind in _POLYGONS]
        remarks = [Remark(sample.id, text, kind="polygon") for text in drawing_remarks(polygons, image.size, "labelme")]
        if empty := [one.id for one in sample.instances if not one.mask.area]:
            text = f"no pixel is left of instance(s) {', '.join(map(str, empty))}"
            remarks.append(Remark(sample.id, text, kind="empty", severity="warning"))
        if said := _said(data, drawn):
            remarks.append(Remark(sample.id, said, kind="labelme"))
        yield sample, remarks


def _content(members: Sequence[tuple[Shape, Patch]]) -> list[Any]:
    """Return what makes an instance's shapes what they are, as plain data."""
    return [
        [shape.kind, shape.points.tolist(), *([shape.data["mask"]] if shape.kind == "mask" else [])]
        for shape, _ in members
    ]


def _instance(number: int, label: str, members: Sequence[tuple[Shape, Patch]], image: Image) -> Instance:
    group = members[0][0].group
    fields = {"id": number, "label": label, "origin": _IMPORTED, "source_id": "" if group is None else str(group)}
    return Instance.parse({**fields, "mask": merged([patch for _, patch in members]).mask(image.size)})


def _said(data: dict[str, Any], shapes: Sequence[Shape]) -> str:
    """Return the flags and descriptions that a file holds, for which samples have no place; empty where it has none."""
    parts = [f"flags of the picture: {flags}"] if (flags := _flags(data)) else []
    for shape in shapes:
        description = shape.data.get("description")
        told = [description.strip()] if isinstance(description, str) and description.strip() else []
        told += [f"flags {flags}"] if (flags := _flags(shape.data)) else []
        parts += [f"shape {shape.number}: {', '.join(told)}"] if told else []
    return "; ".join(parts)[:_LONGEST_NOTE]


def _flags(data: dict[str, Any]) -> str:
    flags = data.get("flags")
    return ", ".join(key for key, value in flags.items() if value) if isinstance(flags, dict) else ""


def _ours(packed: dict[str, Any], image: Image, drawing: _Drawing) -> tuple[Sample, list[Remark]]:
    """Return the sample of our own file with the pixels and labels of its shapes, and what of it has changed."""
    found: dict[int, list[tuple[Shape, Patch]]] = {}
    ids = instance_ids(packed, [shape.group for shape, _ in drawing.targets])
    for key, member in zip(ids, drawing.targets, strict=True):
        found.setdefault(key, []).append(member)
    masks = {key: merged([patch for _, patch in members]).mask(image.size) for key, members in found.items()}
    sample, changes = restored(packed, image, masks, _ignore(drawing, image.size))
    labels = {key: members[0][0].label.strip() for key, members in found.items()}
    changes += [dropped_remark(drawing.dropped)] if drawing.dropped else []
    renamed = {
        one.id: labels[one.id]
        for one in sample.instances
        if labels.get(one.id, written_label(one)) != written_label(one)
    }
    if renamed:
        instances = [{**one.plain(), "label": renamed.get(one.id, one.label)} for one in sample.instances]
        sample = Sample.parse({**sample.plain(), "instances": instances})
        changes.append(f"instance(s) {', '.join(map(str, renamed))} have another label than they had")
    return sample, [Remark(sample.id, change, severity="warning") for change in changes]
