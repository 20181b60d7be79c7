"""Hugging Face datasets into a workspace: whyseg's own layout, and those of Seg-Zero, VisionReasoner and StAR.

A layout is known by its columns:

- ``sample_id, image, instances, …``: whyseg's own; comes back as the very same samples.
- ``image, text, mask, …``: evaluation sets. A row is one instance, the mask's pixels as they are.
- ``image, problem`` and ``solution``, ``solution_mask`` or ``solution_rle``: training sets. Coordinates and masks are
  of the set's own, resized picture. Without masks an instance has an empty one, and its box and points as its prompt.

Their columns do not say whether a question is a sentence: one that ends in ".", "?" or "!" is taken for one.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from whyseg.curation.formats.hub_own import read_own
from whyseg.curation.formats.hub_rows import Row, rle_mask
from whyseg.curation.formats.hub_tables import Table, tables_of
from whyseg.curation.formats.solutions import parse_solution
from whyseg.curation.intake import ImportReport, Intake, Picture, Remark, WorkspaceIntake
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Prompt, ReasoningType, Sample, Split, source_key
from whyseg.schemas.errors import InvalidRecord, RefusedInput, UsageError
from whyseg.schemas.sample import as_reasoning_type

SOURCE = "hf"
_KNOWN = "sample_id, image, instances | image, text, mask | image, problem, solution (or solution_mask, solution_rle)"
_Said = tuple[str, str, Literal["info", "warning", "error"]]  # what, its kind, how bad
_MAY_IGNORE: _Said = ("the source may count an ignore region as part of this mask", "ignore_in_target", "info")
Read = Callable[[Intake, Row, Split | None], tuple[Picture, Sample, list[Remark]]]


def import_hf(
    workspace: Workspace,
    source: str | Path,
    *,
    author: str,
    license: str | None = None,
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
    revision: str | None = None,
) -> ImportReport:
    """Take in a parquet file, a folder of them, a folder of ``save_to_disk``, or a dataset of the Hub by owner/name.

    Rows are streamed; one that is broken is refused as "FILE: row N", counted from 0 as datasets does, and the rest
    goes on. Splits come from the names of splits, folders and files. ``revision``: the branch, tag or commit on the
    Hub. Safe to repeat. Raises ``UsageError`` for a source that is none of these and for columns of no known layout,
    ``StoreUnavailable`` when the disk refuses.
    """
    intake = WorkspaceIntake(workspace, author=author, license=license, dry_run=dry_run)
    return intake.run(walk_hf(intake, source, revision, progress))


def walk_hf(
    intake: Intake,
    source: str | Path,
    revision: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Take in one row after the other; each step is one of them. Raises as `import_hf` does."""
    tables, refused = tables_of(source, revision)
    readers = [_reader(table) for table in tables]
    for refusal in refused:
        intake.refuse(refusal.file, refusal.reason)
    for table, reader in zip(tables, readers, strict=True):
        if reader is not _read_own and _read_own in readers and "solution_rle" in table.columns:
            intake.ignored += 1
            intake.note(table.name, "the training set that whyseg makes of the same samples; left out")
            continue
        yield from _take_table(intake, table, reader, progress)


def _reader(table: Table) -> Read:
    """Return how the rows of a table are read; raises ``UsageError`` for columns of no known layout."""
    columns = set(table.columns)
    if {"sample_id", "image", "instances"} <= columns:
        return _read_own
    if {"image", "text", "mask"} <= columns:
        return _read_evaluation
    if {"image", "problem"} <= columns and columns & {"solution", "solution_mask", "solution_rle"}:
        return _read_training
    shown = ", ".join(column[:60] for column in table.columns[:40])
    raise UsageError(f"{table.name}: no known layout has the columns {shown}; known are {_KNOWN}")


def _take_table(intake: Intake, table: Table, reader: Read, progress: Callable[[str], None] | None) -> Iterator[None]:
    if unread := [column for column in table.columns if column not in _TAKEN[reader]]:
        intake.note(table.name, f"columns that are not taken: {', '.join(column[:60] for column in unread[:40])}")
    try:
        for row in _rows(table):
            if progress:
                progress(row.name)
            try:
                picture, sample, remarks = reader(intake, row, table.split)
            except RefusedInput as error:
                intake.refuse(row.name, error.reason)
            except InvalidRecord as error:
                intake.refuse(row.name, str(error))
            else:
                intake.take(row.name, picture, [sample], remarks)
            yield
    except RefusedInput as error:  # the file's own: what was read of it stays
        intake.refuse(error.name, error.reason)


def _rows(table: Table) -> Iterator[Row]:
    number = 0
    for batch in table.batches():
        for index in range(batch.num_rows):
            yield Row(batch, index, f"{table.name}: row {number}")
            number += 1


def _read_own(intake: Intake, row: Row, split: Split | None) -> tuple[Picture, Sample, list[Remark]]:
    return read_own(intake, row, SOURCE, split)


def _read_evaluation(intake: Intake, row: Row, split: Split | None) -> tuple[Picture, Sample, list[Remark]]:
    """Read a row of an evaluation set: one question, and the pixels that answer it."""
    picture = _picture(intake, row, row.text("image_id"))
    size = picture.image.size
    row.require_size(size)
    mask = row.mask("mask", size)
    instance = {"id": 1, "mask": mask, "origin": {"kind": "import"}, "source_id": _ids(row)}
    remarks = [_MAY_IGNORE]
    kind = as_reasoning_type(row.text("reasoning_type") or None)
    if kind is not None and not isinstance(kind, ReasoningType):
        remarks.append(
            (f"the reasoning type {str(kind)[:60]!r} is none of the four and is left out", "import", "warning")
        )
        kind = None
    if not mask.area:
        remarks.append(("the mask has no pixel: perhaps nothing answers the question", "no_target", "warning"))
    fields = {"reasoning_type": kind, "no_target": not mask.area}
    sample = _sample(picture, row, row.text("text"), split, [instance] if mask.area else [], "image_id", **fields)
    return picture, sample, [Remark(sample.id, text, kind, severity) for text, kind, severity in remarks]


def _ids(row: Row) -> str:
    """Return a row's ``ann_id``; several, as MMR has them, are joined as MUSE joins them."""
    found = row.get("ann_id")
    if isinstance(found, list) and all(isinstance(one, int | str) for one in found):
        return "_".join(map(str, found))[:200]
    return (row.text("ann_id") or "")[:200]


def _read_training(intake: Intake, row: Row, split: Split | None) -> tuple[Picture, Sample, list[Remark]]:
    """Read a row of a training set: a question, and each object's box, points and, in some sets, mask."""
    picture = _picture(intake, row, row.text("id"))
    size = picture.image.size
    solution = row.text("solution")
    answers = parse_solution(solution) if solution is not None else []
    masks = _masks(row, size)
    height, width = row.get("img_height"), row.get("img_width")
    remarks, evidence = list[_Said](), dict[str, Any]()
    if isinstance(height, int) and isinstance(width, int) and (height, width) != size:
        evidence = {"img_height": height, "img_width": width}
        text = f"the picture was resized: {size[1]}×{size[0]} of {width}×{height} (width×height)"
        remarks.append((text, "resized", "info"))
    if masks is None:
        masks = [Mask.empty(size) for _ in answers]
        if answers:
            remarks.append(("the set has no masks: run the boxes and points as prompts", "no_mask", "warning"))
    if solution is not None and len(answers) != len(masks):
        text = f"{len(answers)} boxes and points for {len(masks)} masks: the masks are taken, without prompts"
        remarks.append((text, "import", "warning"))
        answers = []
    answers = answers or [(Prompt(), "") for _ in masks]
    instances = [
        {"id": number, "mask": mask, "prompt": prompt, "label": label, "origin": {"kind": "import"}}
        for number, (mask, (prompt, label)) in enumerate(zip(masks, answers, strict=True), 1)
    ]
    remarks += _outside(answers, size)
    if not instances:
        remarks.append(("the solution is empty: perhaps nothing answers the question", "no_target", "warning"))
    sample = _sample(picture, row, row.text("problem"), split, instances, "id", no_target=not instances)
    return picture, sample, [Remark(sample.id, text, kind, weight, evidence) for text, kind, weight in remarks]


def _outside(answers: Sequence[tuple[Prompt, str]], size: tuple[int, int]) -> Iterator[_Said]:
    """Say which objects' points and boxes lie outside the picture."""
    for number, (prompt, _) in enumerate(answers, 1):
        try:
            prompt.require_inside(size)
        except InvalidRecord as error:
            yield f"instance {number}: {error}", "import", "warning"


def _masks(row: Row, size: tuple[int, int]) -> list[Mask] | None:
    """Return the masks of a training set's row; None where it has none."""
    if row.cell("solution_rle") is not None:
        cells = row.get("solution_rle")
        if not isinstance(cells, list):
            raise InvalidRecord(f"solution_rle is a list, got {type(cells).__name__}")
        return [rle_mask(cell, size, f"solution_rle[{number}]") for number, cell in enumerate(cells)]
    return row.masks("solution_mask", size) if row.cell("solution_mask") is not None else None


def _picture(intake: Intake, row: Row, key: str | None) -> Picture:
    data, path = row.picture("image")
    return intake.picture(data, path or key or row.name, license=row.license())


def _sample(
    picture: Picture,
    row: Row,
    text: str | None,
    split: Split | None,
    instances: Sequence[dict[str, Any]],
    key: str,
    **fields: Any,
) -> Sample:
    """Return a draft with a question and instances; raises ``InvalidRecord`` where there is no question."""
    if text is None or not text.strip():
        raise InvalidRecord("the row has no question")
    text = text.strip()
    content = {
        "query": text,
        "instances": [[one["mask"].counts, one.get("prompt", Prompt()).model_dump(mode="json")] for one in instances],
    }
    return Sample.start(
        picture.image.id,
        picture.image.size,
        source=SOURCE,
        source_record=source_key(content),
        source_name=(row.text(key) or "")[:1000],
        split=split,
        query={"text": text, "is_sentence": text[-1] in ".?!", "origin": {"kind": "import"}},
        instances=list(instances),
        **fields,
    )


_TAKEN: dict[Read, set[str]] = {
    _read_own: {
        "sample_id", "image", "query", "alternates", "is_sentence", "mask", "instances", "ignore_rle", "no_target",
        "reasoning_type", "depth", "hops", "image_id", "img_height", "img_width", "source", "license", "provenance",
    },
    _read_evaluation: {
        "image", "text", "mask", "image_id", "ann_id", "img_height", "img_width", "reasoning_type", "license",
    },
    _read_training: {
        "id", "problem", "solution", "solution_mask", "solution_rle", "image", "img_height", "img_width", "license",
    },
}  # fmt: skip
