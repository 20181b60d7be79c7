"""Questions with answers on COCO's pictures, as MMR and MUSE publish them, into a workspace: a sample a question.

A JSON is a list with an object for each picture: ``file_name`` or ``coco_url``, ``questions``, and ``answers`` (MUSE:
also ``answer``), for each question a list of annotations with a ``segmentation``, run lengths in MMR, polygons in
MUSE. Their pixels are pycocotools' own. An annotation is one instance; a question without any is left out and counted,
since the sets do not say that nothing answers it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from whyseg.curation.formats.coco_geometry import mask_from_segmentation
from whyseg.curation.formats.coco_pictures import PictureFolder
from whyseg.curation.formats.shape_files import is_json, read_json, shown
from whyseg.curation.formats.split_names import split_of
from whyseg.curation.intake import ImportReport, Intake, Picture, Remark, WorkspaceIntake
from whyseg.curation.sources import File, Listing, Refusal
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample, Split, source_key
from whyseg.schemas.errors import InvalidRecord, RefusedInput, SizeMismatch, UsageError

SOURCE = "mmr"
_LISTS = ("data", "items", "records")  # under which the list of pictures may lie
_LABELS = ("category_name", "category", "name", "label")


def import_mmr(
    workspace: Workspace,
    source: Path,
    *,
    author: str,
    images: Path | None = None,
    license: str | None = None,
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
) -> ImportReport:
    """Take in a JSON of MMR or MUSE, or a folder of them, with the pictures that they name.

    A picture lies at its ``file_name`` below ``images`` (else the JSON's folder), in ``images/`` there, or anywhere
    below, where one file alone has its base name. Safe to repeat. Raises as `import_images` does.
    """
    intake = WorkspaceIntake(workspace, author=author, license=license, dry_run=dry_run)
    return intake.run(walk_mmr(intake, source, images, progress))


def walk_mmr(
    intake: Intake, source: Path, images: Path | None = None, progress: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Take in one picture's questions after the other; each step is one. Raises as `import_mmr` does."""
    folder = images or (source if source.is_dir() else source.parent)
    if images is not None and not images.is_dir():
        raise UsageError(f"{images} is no folder of pictures")
    found = 0
    with Listing(source) as listing:
        for file in listing.found:
            if isinstance(file, Refusal):
                intake.refuse(file.file, file.reason)
            elif file is not None and is_json(file.name):
                records = _records(intake, file)
                found += records is not None
                yield from _take(intake, file, records or [], folder, progress)
    if not found and not intake.refused:
        raise UsageError(f"{source} holds no JSON with a list of pictures that have questions and answers")


def is_mmr(data: Any) -> bool:
    """Tell whether a JSON's data is of this layout."""
    records = _listed(data)
    return bool(records) and isinstance(records[0], dict) and "questions" in records[0]


def _listed(data: Any) -> list[Any]:
    if isinstance(data, dict):
        data = next((data[key] for key in _LISTS if isinstance(data.get(key), list)), None)
    return data if isinstance(data, list) else []


def _records(intake: Intake, file: File) -> list[Any] | None:
    try:
        data = read_json(file)
    except RefusedInput as error:
        intake.refuse(error.name, error.reason)
        return None
    if not is_mmr(data):
        intake.ignored += 1
        return None
    return _listed(data)


def _take(
    intake: Intake, file: File, records: list[Any], folder: Path, progress: Callable[[str], None] | None
) -> Iterator[None]:
    names = [_picture_name(record) for record in records if isinstance(record, dict)]
    pictures = PictureFolder(folder, [name for name in names if name])
    split = split_of(PurePosixPath(file.name).parts[:-1], PurePosixPath(file.name).name)
    bare = 0
    for number, record in enumerate(records):
        where = f"{file.name}: picture {number}"
        try:
            name, questions, answers = _parts(record)
            if progress:
                progress(name)
            picture = intake.picture(pictures.read(name), PurePosixPath(name).name)
            _require_size(record, picture)
        except RefusedInput as error:
            intake.refuse(where, f"{error.name}: {error.reason}")
            yield
            continue
        except InvalidRecord as error:
            intake.refuse(where, str(error))
            yield
            continue
        samples, remarks = list[Sample](), list[Remark]()
        for place, (text, annotations) in enumerate(zip(questions, answers, strict=False)):
            if annotations == []:
                bare += 1
                continue
            try:
                sample, told = _sample(picture, text, annotations, split, f"{name} (question {place})")
            except InvalidRecord as error:
                intake.refuse(f"{where}, question {place}", str(error))
                continue
            samples.append(sample)
            remarks += [Remark(sample.id, one) for one in told]
        if samples:
            intake.take(where, picture, samples, remarks)
        yield
    if bare:
        intake.ignored += bare
        intake.note(file.name, f"questions without annotations, left out: {bare}")


def _picture_name(record: dict[str, Any]) -> str | None:
    """Return the path of a record's picture; the last two parts of its address where it has no name."""
    name, address = record.get("file_name"), record.get("coco_url")
    if isinstance(name, str) and name:
        return name
    return "/".join(address.split("?")[0].split("/")[-2:]) if isinstance(address, str) and address else None


def _parts(record: Any) -> tuple[str, list[Any], list[Any]]:
    if not isinstance(record, dict):
        raise InvalidRecord(f"a picture is an object, got {shown(record)}")
    name, questions = _picture_name(record), record.get("questions")
    answers = record.get("answers", record.get("answer"))
    if name is None:
        raise InvalidRecord("it has neither file_name nor coco_url")
    if not isinstance(questions, list) or not isinstance(answers, list):
        raise InvalidRecord("questions and answers are lists")
    if len(questions) != len(answers):
        raise InvalidRecord(f"{len(questions)} questions have {len(answers)} answers")
    return name, questions, answers


def _require_size(record: dict[str, Any], picture: Picture) -> None:
    size = record.get("height"), record.get("width")
    if isinstance(size[0], int) and isinstance(size[1], int) and size != picture.image.size:
        raise SizeMismatch("its entry", picture.image.size, (size[0], size[1]))


def _sample(picture: Picture, text: Any, annotations: Any, split: Split | None, name: str) -> tuple[Sample, list[str]]:
    """Return the sample of one question, and what is odd about it."""
    if not isinstance(text, str) or not text.strip():
        raise InvalidRecord(f"the question is a text, got {shown(text)}")
    if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        raise InvalidRecord(f"an answer is a list of annotations, got {shown(annotations)}")
    image, instances, remarks = picture.image, list[dict[str, Any]](), list[str]()
    for number, one in enumerate(annotations, 1):
        mask, odd = mask_from_segmentation(one.get("segmentation") or [], image.size)
        remarks += [f"annotation {one.get('id', number)}: {text}" for text in odd]
        if mask is None:
            raise InvalidRecord(f"annotation {one.get('id', number)} has no outline")
        label = next((one[key] for key in _LABELS if isinstance(one.get(key), str)), "")
        instance = {"id": number, "mask": mask, "label": label[:200], "origin": {"kind": "import"}}
        instances.append({**instance, "source_id": str(one.get("id", ""))[:200]})
    content = {"query": text.strip(), "instances": [one["mask"].counts for one in instances]}
    sample = Sample.start(
        image.id,
        image.size,
        source=SOURCE,
        source_record=source_key(content),
        source_name=name[-1000:],
        split=split,
        query={"text": text, "is_sentence": text.strip()[-1] in ".?!", "origin": {"kind": "import"}},
        instances=instances,
    )
    return sample, remarks
