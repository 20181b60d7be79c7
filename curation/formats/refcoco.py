"""Referring expressions on COCO's pictures, as RefCOCO, RefCOCO+ and RefCOCOg are published.

The pickle, ``refs(unc).p``, ``refs(google).p`` or ``refs(umd).p``, is a list of refs: ``ref_id``, ``ann_id``,
``image_id``, ``split`` and ``sentences``, each with ``sent_id``, ``sent`` and ``raw``. A ref is one annotation of
``instances.json`` beside it, whose pixels are pycocotools' own. Behind the pickle's path may stand one of its splits,
and then how is counted: ``refs(unc).p/testA`` is every expression of testA, ``refs(unc).p/testA/instances`` every ref
once, asked for by its first expression.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from whyseg.curation.formats.coco_file import Annotation, CocoFile, Key, read_coco
from whyseg.curation.formats.coco_file import Picture as Entry
from whyseg.curation.formats.coco_geometry import mask_from_segmentation
from whyseg.curation.formats.coco_pictures import PictureFolder
from whyseg.curation.formats.plain_pickle import read_plain_pickle
from whyseg.curation.formats.shape_files import shown
from whyseg.curation.formats.split_names import split_of
from whyseg.curation.images import printable
from whyseg.curation.intake import ImportReport, Intake, Picture, Remark, WorkspaceIntake
from whyseg.curation.sources import File, candidates
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Sample, source_key
from whyseg.schemas.errors import InvalidRecord, RefusedInput, SizeMismatch, UsageError

SOURCE, SUFFIX, ANNOTATIONS = "refcoco", ".p", "instances.json"
INSTANCES, EXPRESSIONS = "instances", "expressions"


@dataclass(frozen=True)
class Wanted:
    """A pickle, and what of it: one of its splits or all, every expression or the first of each ref."""

    pickle: Path
    split: str | None = None
    instances: bool = False


@dataclass(frozen=True, eq=False)
class Ref:
    """One annotation with the expressions that refer to it, each a number and a text."""

    id: int
    annotation: str
    image: Key
    split: str
    expressions: tuple[tuple[int, str], ...]


def wanted(source: Path) -> Wanted | None:
    """Return what a path means in this layout; None for one of other layouts."""
    for above, rest in ((source, ()), (source.parent, source.parts[-1:]), (source.parent.parent, source.parts[-2:])):
        if above.suffix == SUFFIX and above.is_file():
            if len(rest) == 2 and rest[1] not in (INSTANCES, EXPRESSIONS):
                raise UsageError(f"behind a split of {above.name} stands {INSTANCES} or {EXPRESSIONS}, got {rest[1]}")
            return Wanted(above, rest[0] if rest else None, rest[1:] == (INSTANCES,))
    return None


def import_refcoco(
    workspace: Workspace,
    source: Path,
    *,
    author: str,
    images: Path | None = None,
    license: str | None = None,
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
) -> ImportReport:
    """Take in a pickle of refs, or one of its splits, with ``instances.json`` beside it and COCO's pictures.

    Pictures are looked for below ``images``, else beside the pickle, as by `import_coco`. Safe to repeat. Raises
    ``UsageError`` where there is no pickle or no such split, ``RefusedInput`` where one of the two files is refused.
    """
    intake = WorkspaceIntake(workspace, author=author, license=license, dry_run=dry_run)
    return intake.run(walk_refcoco(intake, source, images, progress))


def walk_refcoco(
    intake: Intake, source: Path, images: Path | None = None, progress: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Take in one picture's expressions after the other; each step is one. Raises as `import_refcoco` does."""
    asked = wanted(source)
    if asked is None:
        raise UsageError(f"{source} is no pickle of refs (refs(unc).p, perhaps with /testA behind it)")
    folder = images or asked.pickle.parent
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder of pictures")
    refs = _refs(intake, asked)
    known = asked.pickle.parent / ANNOTATIONS
    if not known.is_file():
        raise UsageError(f"{asked.pickle.name} needs {ANNOTATIONS} beside it")
    file = read_coco(known, ANNOTATIONS)
    for refusal in file.refused:
        intake.refuse(f"{ANNOTATIONS}: {refusal.file}", refusal.reason)
    entries = {entry.id: entry for entry in file.pictures}
    of_image: dict[Key, list[Ref]] = {}
    for ref in refs:
        of_image.setdefault(ref.image, []).append(ref)
    pictures = PictureFolder(folder, [entries[image].file_name for image in of_image if image in entries])
    for image, some in of_image.items():
        _take(intake, asked, some, entries.get(image), file, pictures, progress)
        yield


def _refs(intake: Intake, asked: Wanted) -> list[Ref]:
    """Return the refs that are wanted; broken ones are refused."""
    file = next(candidates(asked.pickle))
    if not isinstance(file, File):
        raise UsageError(f"{asked.pickle} cannot be read")
    data = read_plain_pickle(file.read(None), asked.pickle.name)
    if not isinstance(data, list):
        raise RefusedInput(asked.pickle.name, f"a pickle of refs is a list, got {type(data).__name__}")
    found, splits = [], dict[str, None]()
    for number, one in enumerate(data):
        try:
            ref = _ref(one)
        except InvalidRecord as error:
            intake.refuse(f"{asked.pickle.name}: ref number {number + 1}", str(error))
            continue
        splits[ref.split] = None
        if asked.split in (None, ref.split):
            found.append(ref)
    if not found and not intake.refused:
        if not splits:
            raise UsageError(f"{asked.pickle.name} holds no refs")
        known = printable(", ".join(splits)[:200])
        raise UsageError(f"{asked.pickle.name} has no split {asked.split}; it has {known}")
    return found


def _ref(data: Any) -> Ref:
    if not isinstance(data, dict):
        raise InvalidRecord(f"a ref is a dictionary, got {type(data).__name__}")
    number, annotation, image = (_number(data, key) for key in ("ref_id", "ann_id", "image_id"))
    split, sentences = data.get("split"), data.get("sentences")
    if not _sound(split) or not isinstance(sentences, list) or not sentences:
        raise InvalidRecord("a ref has a split and a list of sentences")
    texts = list[tuple[int, str]]()
    for place, one in enumerate(sentences):
        text = (one.get("sent") or one.get("raw")) if isinstance(one, dict) else None
        if not _sound(text):
            raise InvalidRecord(f"sentence {place} has no text in sent or raw")
        said = one.get("sent_id")
        texts.append((said if type(said) is int else place, text.strip()))
    return Ref(number, str(annotation), image, split, tuple(texts))


def _number(data: dict[Any, Any], key: str) -> int:
    value = data.get(key)
    if type(value) is not int or not 0 <= value < 2**63:
        raise InvalidRecord(f"{key} is a whole number, got {shown(value)}")
    return value


def _sound(text: Any) -> TypeGuard[str]:
    """Tell whether something is a text with something in it that can be written as UTF-8."""
    return isinstance(text, str) and bool(text.strip()) and not any("\ud800" <= char <= "\udfff" for char in text)


def _take(
    intake: Intake,
    asked: Wanted,
    refs: list[Ref],
    entry: Entry | None,
    file: CocoFile,
    pictures: PictureFolder,
    progress: Callable[[str], None] | None,
) -> None:
    """Take in all that is said of one picture."""
    if entry is None:
        intake.refuse(f"{asked.pickle.name}: ref {refs[0].id}", f"{ANNOTATIONS} has no image {refs[0].image}")
        return
    if progress:
        progress(entry.file_name)
    try:
        picture = intake.picture(
            pictures.read(entry.file_name), PurePosixPath(entry.file_name).name, license=entry.license
        )
        if entry.size is not None and entry.size != picture.image.size:
            raise SizeMismatch("its entry", picture.image.size, entry.size)
    except (RefusedInput, InvalidRecord) as error:
        intake.refuse(entry.file_name, error.reason if isinstance(error, RefusedInput) else str(error))
        return
    there = {one.id: one for one in file.annotations.get(entry.id, [])}
    samples, remarks = list[Sample](), list[Remark]()
    for ref in refs:
        try:
            mask, odd = _mask(ref, there, picture)
            made = [_sample(ref, there[ref.annotation].label, mask, *one, picture, entry) for one in _asked(ref, asked)]
        except InvalidRecord as error:
            intake.refuse(f"{asked.pickle.name}: ref {ref.id}", str(error))
            continue
        samples += made
        remarks += [Remark(sample.id, text) for sample in made for text in odd]
    if samples:
        intake.take(entry.file_name, picture, samples, remarks)


def _mask(ref: Ref, there: dict[str, Annotation], picture: Picture) -> tuple[Mask, list[str]]:
    if ref.annotation not in there:
        raise InvalidRecord(f"{ANNOTATIONS} has no annotation {ref.annotation} of image {ref.image}")
    mask, odd = mask_from_segmentation(there[ref.annotation].segmentation or [], picture.image.size)
    if mask is None:
        raise InvalidRecord(f"annotation {ref.annotation} has no outline")
    return mask, odd


def _asked(ref: Ref, asked: Wanted) -> tuple[tuple[int, str], ...]:
    return ref.expressions[:1] if asked.instances else ref.expressions


def _sample(ref: Ref, label: str, mask: Mask, number: int, text: str, picture: Picture, entry: Entry) -> Sample:
    # The sentence's own number, too: two people may have said the same of one thing, and both count.
    content = {"ref": ref.id, "sentence": number, "query": text, "instances": [mask.counts]}
    return Sample.start(
        picture.image.id,
        picture.image.size,
        source=SOURCE,
        source_record=source_key(content),
        source_name=f"{entry.file_name} ({ref.split}, ref {ref.id}, sentence {number})"[-1000:],
        split=split_of([ref.split]),
        query={"text": text, "is_sentence": text[-1] in ".?!", "origin": {"kind": "import"}},
        instances=[
            {"id": 1, "mask": mask, "label": label[:200], "origin": {"kind": "import"}, "source_id": ref.annotation}
        ],
    )
