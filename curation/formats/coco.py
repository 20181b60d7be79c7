"""COCO instances into a workspace: every mask bit for bit as pycocotools makes it, one draft for what belongs together.

A crowd region is no object: it becomes the ignore region of the samples of its image and category; a category that has
nothing else on an image gives one sample with the ignore region alone. An annotation without an outline is an instance
whose mask is empty and whose prompt is its box, for somebody to run. Images without annotations are left out and
counted. What whyseg exported itself comes back as the very same samples.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from whyseg.curation.formats import own
from whyseg.curation.formats.coco_file import Annotation, CocoFile, read_coco
from whyseg.curation.formats.coco_file import Picture as Entry
from whyseg.curation.formats.coco_geometry import box_from_bbox, mask_from_segmentation
from whyseg.curation.formats.coco_pictures import PictureFolder
from whyseg.curation.intake import ImportReport, Intake, Picture, Remark, WorkspaceIntake
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Image, Instance, Mask, Origin, Prompt, Sample, source_key, union
from whyseg.schemas.errors import InvalidRecord, RefusedInput, SizeMismatch, UsageError

SOURCE = "coco"
Group = Literal["category", "instance"]
_IMPORTED = Origin(kind="import")


def import_coco(
    workspace: Workspace,
    source: Path,
    *,
    author: str,
    images: Path | None = None,
    group: Group = "category",
    license: str | None = None,
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
) -> ImportReport:
    """Take in a JSON of COCO instances, or a folder that holds exactly one, with its pictures.

    A picture lies at its ``file_name`` below ``images`` (else beside the JSON), in ``images/`` there, or anywhere
    below, where one file alone has its base name. ``group``: one sample for all annotations of an image and category,
    or one for each annotation that is no crowd. ``progress`` is called with the name of each picture. Safe to repeat:
    a sample is known by its picture, label and pixels. A picture or annotation that is refused keeps no other out.
    Raises ``UsageError`` for a source that is no JSON and no folder with one, ``StoreUnavailable`` when the disk
    refuses.
    """
    intake = WorkspaceIntake(workspace, author=author, license=license, dry_run=dry_run)
    return intake.run(walk_coco(intake, source, images, group, progress))


def walk_coco(
    intake: Intake,
    source: Path,
    images: Path | None = None,
    group: Group = "category",
    progress: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Take in one picture's samples after the other; each step is one. Raises as `import_coco` does."""
    path = _json_of(source)
    if images is not None and not images.is_dir():
        raise UsageError(f"{images} is no folder of pictures")
    name = path.relative_to(source).as_posix() if source.is_dir() else path.name
    try:
        file = read_coco(path, name)
    except RefusedInput as error:
        intake.refuse(error.name, error.reason)
        return
    for refusal in file.refused:
        intake.refuse(refusal.file, refusal.reason)
    for note in file.notes:
        intake.note(name, note)
    folder = images or (source if source.is_dir() else path.parent)
    pictures = PictureFolder(folder, [entry.file_name for entry in file.pictures])
    bare = 0
    for entry in file.pictures:
        if not file.annotations.get(entry.id) and entry.id not in file.samples:
            bare += entry.id not in file.annotations
            continue
        if progress:
            progress(entry.file_name)
        _take(intake, file, entry, pictures, group)
        yield
    if bare:
        intake.ignored += bare
        intake.note(name, f"images without annotations, left out: {bare}; `whyseg import images` takes them in")


def _json_of(source: Path) -> Path:
    """Return the one JSON that a source means: in the folder itself, or where it has none, below."""
    if source.is_file():
        return source
    if not source.is_dir():
        raise UsageError(f"{source} {'is neither a file nor a folder' if source.exists() else 'does not exist'}")
    for pattern in ("*.json", "**/*.json"):
        found = sorted(path for path in source.glob(pattern) if path.is_file() and not _hidden(path, source))
        if len(found) == 1:
            return found[0]
        if found:
            shown = ", ".join(path.relative_to(source).as_posix() for path in found[:10])
            raise UsageError(f"{source} holds {len(found)} JSON files, name one: {shown}")
    raise UsageError(f"{source} holds no JSON file")


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


@dataclass(frozen=True)
class _Drawn:
    """An annotation whose segmentation could be read."""

    annotation: Annotation
    mask: Mask
    remarks: tuple[str, ...]


def _take(intake: Intake, file: CocoFile, entry: Entry, pictures: PictureFolder, group: Group) -> None:
    """Take in one picture with all its samples."""
    packed = file.samples.get(entry.id, {})
    try:
        name = entry.original_name or entry.file_name
        split = entry.split if packed else None
        picture = intake.picture(pictures.read(entry.file_name), name, license=entry.license, split=split)
        if entry.size not in (None, picture.image.size):
            raise SizeMismatch(f"the entry of image {entry.id}", picture.image.size, entry.size or (0, 0))
    except RefusedInput as error:
        intake.refuse(entry.file_name, error.reason)
        return
    except SizeMismatch as error:
        intake.refuse(entry.file_name, str(error))
        return
    ours, others = dict[str, list[_Drawn]](), dict[int | str, list[_Drawn]]()
    broken = dict[int | str, list[str]]()
    for annotation in file.annotations.pop(entry.id, []):
        try:
            mask, remarks = mask_from_segmentation(annotation.segmentation or [], picture.image.size)
            if mask is None:
                mask = _unmasked(annotation, picture.image.size)
                remarks.append("it has no outline; its mask is empty and its prompt is its box")
            drawn = _Drawn(annotation, mask, tuple(f"annotation {annotation.id}: {remark}" for remark in remarks))
        except InvalidRecord as error:
            intake.refuse(f"{file.name}: annotation {annotation.id}", f"{entry.file_name}: {error}")
            broken.setdefault(annotation.category, []).append(f"annotation {annotation.id} was refused: {error}")
            continue
        if annotation.sample_id in packed:
            ours.setdefault(str(annotation.sample_id), []).append(drawn)
        else:
            others.setdefault(annotation.category, []).append(drawn)
    samples, told = list[Sample](), list[Remark]()
    for key, data in packed.items():
        try:
            sample, changes = _restored(data, picture.image, ours.get(key, []))
        except InvalidRecord as error:
            intake.refuse(f"{file.name}: sample {key}", str(error))
            continue
        samples.append(sample)
        told += [Remark(sample.id, change, severity="warning") for change in changes]
    for category, members in others.items():
        for sample, remarks in _drafts(entry, picture, members, group):
            samples.append(sample)
            told += [Remark(sample.id, text) for text in remarks]
            told += [Remark(sample.id, text, severity="warning") for text in broken.get(category, [])]
    if samples:
        intake.take(entry.file_name, picture, samples, told)


def _unmasked(annotation: Annotation, size: tuple[int, int]) -> Mask:
    """Return the empty mask of an annotation that has a box alone."""
    if annotation.crowd or box_from_bbox(annotation.bbox) is None:
        raise InvalidRecord("it has no outline" if annotation.crowd else "it has neither an outline nor a box")
    return Mask.empty(size)


def _drafts(
    entry: Entry, picture: Picture, members: Sequence[_Drawn], group: Group
) -> Iterator[tuple[Sample, list[str]]]:
    """Yield the samples of one category on one image, with what there is to say of each."""
    image = picture.image
    turned = [f"the picture is stored turned (EXIF {image.orientation}); outlines are taken as of the upright one"]
    crowds = [one for one in members if one.annotation.crowd]
    ignore = union([one.mask for one in crowds], image.size) if crowds else None
    common = [remark for one in crowds for remark in one.remarks] + (turned if image.orientation > 1 else [])
    objects = [one for one in members if not one.annotation.crowd]
    for some in [objects] if group == "category" or not objects else [[one] for one in objects]:
        instances = [_instance(number, one) for number, one in enumerate(some, 1)]
        content = {
            "label": members[0].annotation.label,
            "instances": sorted(_content(instance) for instance in instances),
            "ignore": ignore and ignore.counts,
        }
        sample = Sample.start(
            image.id,
            image.size,
            source=SOURCE,
            source_record=source_key(content),
            source_name=f"{entry.file_name} (image {entry.id})"[-1000:],
            split=entry.split,
            instances=instances,
            ignore=ignore,
        )
        remarks = [remark for one in some for remark in one.remarks]
        remarks += [
            f"annotation {one.source_id} has no pixel" for one in instances if not (one.mask.area or one.prompt)
        ]
        if not instances:
            remarks.append(f"only crowds of {content['label']!r}: an ignore region and no instance")
        yield sample, remarks + common


def _instance(number: int, drawn: _Drawn) -> Instance:
    annotation = drawn.annotation
    box = None if drawn.mask.area else box_from_bbox(annotation.bbox)
    return Instance(
        id=number,
        mask=drawn.mask,
        label=annotation.label,
        prompt=Prompt(box=box),
        origin=_IMPORTED,
        source_id=annotation.id,
    )


def _content(instance: Instance) -> str:
    """Return the text that an instance adds to the key of its sample."""
    return f"{instance.mask.counts} {instance.prompt.model_dump_json()}" if instance.prompt else instance.mask.counts


def _restored(data: dict[str, Any], image: Image, members: Sequence[_Drawn]) -> tuple[Sample, list[str]]:
    """Return one of our own samples with the pixels and labels that its annotations have now."""
    masks, labels = dict[int, Mask](), dict[int, str]()
    regions = [one.mask for one in members if one.annotation.crowd]
    unnumbered = []
    for one in members:
        if one.annotation.crowd:
            continue
        number = one.annotation.instance_id
        if number is None or number in masks:
            unnumbered.append(one)
        else:
            masks[number], labels[number] = one.mask, one.annotation.label
    for one in unnumbered:
        number = max(masks, default=0) + 1
        masks[number], labels[number] = one.mask, one.annotation.label
    ignore = union(regions, image.size) if len(regions) > 1 else next(iter(regions), None)
    if data.get("no_target") and masks:  # it was given a target
        data = {**data, "no_target": False}
    sample, changes = own.unpack(data, image, masks, ignore)
    renamed = [one for one in sample.instances if one.label != labels[one.id]]
    if renamed:
        changes += [f"instance {one.id} is now called {labels[one.id]!r}, not {one.label!r}" for one in renamed]
        relabelled = [one.model_copy(update={"label": labels[one.id]}) for one in sample.instances]
        sample = sample.model_copy(update={"instances": tuple(relabelled)})
    return sample, changes
