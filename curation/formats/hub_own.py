"""whyseg's own ``default`` layout, in: a row is the very sample that it was, but for what somebody changed in it.

The packed record in ``provenance.record`` gives what has no column. Pixels always come from ``instances`` and
``ignore_rle``, and a column that says something else than the record counts.
"""

import json
from typing import Any

from whyseg.curation.formats import own
from whyseg.curation.formats.hub_rows import Row, rle_mask
from whyseg.curation.intake import Intake, Picture, Remark
from whyseg.schemas import Image, Instance, Mask, Sample, Split, sample_id, source_key, union
from whyseg.schemas.errors import InvalidRecord, RefusedInput

_PLAIN = ("no_target", "reasoning_type", "depth", "hops")


def read_own(intake: Intake, row: Row, source: str, split: Split | None) -> tuple[Picture, Sample, list[Remark]]:
    """Return a row's picture and sample, and what did not come back as it was.

    ``source``: of samples whose row does not say it; ``split``: where the release had them. Raises
    ``RefusedInput`` and ``InvalidRecord`` for broken rows.
    """
    provenance = row.get("provenance")
    provenance = provenance if isinstance(provenance, dict) else {}
    data, path = row.picture("image")
    name = provenance.get("file_name")
    name = name if isinstance(name, str) and name else path or f"{row.text('image_id') or row.name}"
    picture = intake.picture(data, name, license=row.license(), split=split)
    size = picture.image.size
    row.require_size(size)
    cells = row.get("instances") or []
    if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
        raise InvalidRecord("instances is a list of run lengths with labels")
    masks = [rle_mask(cell.get("rle"), size, f"instance {n}") for n, cell in enumerate(cells, 1)]
    ignore = row.get("ignore_rle")
    absent = ignore is None or (isinstance(ignore, dict) and ignore.get("counts") is None)
    ignored = None if absent else rle_mask(ignore, size, "ignore_rle")
    record, changes = provenance.get("record"), list[str]()
    if record is None:
        texts = [cell.get("label") or "" for cell in cells]
        sample = _from_columns(row, picture.image, masks, texts, ignored, source, provenance)
    else:
        sample, changes = _restored(record, picture.image, masks, ignored)
        sample, more = _edited(sample, _columns(row), [cell.get("label") for cell in cells], masks)
        changes += more
    remarks = [Remark(sample.id, change, severity="warning") for change in changes]
    if (wrong := _disagreement(row, masks, size)) is not None:
        remarks.append(Remark(sample.id, wrong, severity="warning"))
    return picture, sample, remarks


def _restored(record: Any, image: Image, masks: list[Mask], ignore: Mask | None) -> tuple[Sample, list[str]]:
    """Return the sample of a packed record with a row's masks."""
    try:
        data = json.loads(record)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRecord("provenance.record is no JSON") from error
    packed = data.get("instances", []) if isinstance(data, dict) else []
    known = [one for one in packed if isinstance(one, dict)] if isinstance(packed, list) else []
    return own.unpack(data, image, _numbered(known, masks), ignore)


def _numbered(packed: list[dict[str, Any]], masks: list[Mask]) -> dict[int, Mask]:
    """Return a row's masks by the ids of the packed instances: in their order, or where one is missing, by pixels."""
    ids = [one["id"] for one in packed if isinstance(one.get("id"), int)]
    if len(ids) == len(masks):
        return dict(zip(ids, masks, strict=True))
    found, left = dict[int, Mask](), [one for one in packed if isinstance(one.get("id"), int)]
    unknown = []
    for mask in masks:
        match = next((one for one in left if one.get("mask") == mask.content_hash()), None)
        if match is None:
            unknown.append(mask)
        else:
            left.remove(match)
            found[match["id"]] = mask
    first = max([0, *ids]) + 1
    return found | dict(enumerate(unknown, first))


def _columns(row: Row) -> dict[str, Any]:
    """Return the fields that have columns of their own, for those columns that are there."""
    fields = {name: row.get(name) for name in _PLAIN if row.has(name)}
    if "hops" in fields:
        fields["hops"] = fields["hops"] or []
    if fields.get("no_target", True) is None:
        del fields["no_target"]
    if row.has("query"):
        text = row.text("query")
        sentence = row.get("is_sentence")
        query = {"text": text, "is_sentence": sentence is not False, "alternates": row.get("alternates") or []}
        fields["query"] = None if text is None else query
    return fields


def _edited(
    sample: Sample, columns: dict[str, Any], labels: list[str | None], masks: list[Mask]
) -> tuple[Sample, list[str]]:
    """Return a sample with what its row's columns say, and which of them say something else than its record."""
    if columns.get("query") is not None:
        kept = sample.query is not None and sample.query.text == columns["query"]["text"].strip()
        origin = sample.query.origin if sample.query and kept else {"kind": "import"}
        columns = {**columns, "query": {**columns["query"], "origin": origin}}
    instances = list(sample.instances)
    if len(labels) == len(instances) and [one.mask for one in instances] == masks:
        for number, label in enumerate(labels):
            if label is not None and label.strip() != instances[number].label:
                instances[number] = Instance.parse({**dict(instances[number]), "label": label})
    now = Sample.parse({**dict(sample), **columns, "instances": instances})
    changed = [name for name in (*columns, "instances") if getattr(now, name) != getattr(sample, name)]
    return now, [
        f"its {'labels are' if name == 'instances' else f'{name} is'} not what its record says" for name in changed
    ]


def _from_columns(
    row: Row,
    image: Image,
    masks: list[Mask],
    labels: list[str],
    ignore: Mask | None,
    source: str,
    provenance: dict[str, Any],
) -> Sample:
    """Return the sample that a row's columns alone describe; it has its old id where they tell enough."""
    fields = _columns(row)
    if fields.get("query"):
        fields["query"]["origin"] = {"kind": "import"}
    fields["instances"] = [
        {"id": number, "mask": mask, "label": label, "origin": {"kind": "import"}}
        for number, (mask, label) in enumerate(zip(masks, labels, strict=True), 1)
    ]
    former, record = row.text("source"), provenance.get("source_record")
    if not (former and isinstance(record, str) and sample_id(former, image.id, record) == row.get("sample_id")):
        content = [fields.get("query"), [mask.counts for mask in masks], labels, ignore and ignore.counts]
        former, record = source, source_key(content)
    name = row.text("sample_id") or ""
    return Sample.start(
        image.id, image.size, source=former, source_record=record, source_name=name, ignore=ignore, **fields
    )


def _disagreement(row: Row, masks: list[Mask], size: tuple[int, int]) -> str | None:
    """Say how the mask's picture differs from the union of the instances, if it does."""
    if row.cell("mask") is None:
        return None
    try:
        shown = row.mask("mask", size)
    except (InvalidRecord, RefusedInput) as error:
        return f"the picture of the mask cannot be read and is passed over: {error}"
    target = union(masks, size)
    if shown == target:
        return None
    both = shown.iou(target)
    return f"the picture of the mask is not the union of the instances (IoU {both:.4f}); the instances count"
