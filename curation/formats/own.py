"""What other formats have no place for: the whole record of a sample but its pixels, as plain data beside theirs.

The pixels always come from the format's own geometry, so what somebody changed with another tool counts. A record that
comes back with its pixels unchanged is the very sample, with the same id and content hash.
"""

from collections.abc import Mapping
from typing import Any

from whyseg.schemas import Image, Mask, Sample, canonical_json, sample_id
from whyseg.schemas.errors import InvalidRecord

KEY = "whyseg"  # under which formats carry it, where they may hold keys of others
VERSION = 1


def pack(sample: Sample) -> dict[str, Any]:
    """Return a sample as plain data without its masks; the hash of each one's content is named instead."""
    data = sample.model_dump(mode="json", exclude_defaults=True, exclude={"ignore", "size"})
    for plain, instance in zip(data.get("instances", []), sample.instances, strict=True):
        plain["mask"] = instance.mask.content_hash()
    if sample.ignore:
        data["ignore"] = sample.ignore.content_hash()
    return {"version": VERSION, **data}


def unpack(data: Any, image: Image, masks: Mapping[int, Mask], ignore: Mask | None) -> tuple[Sample, list[str]]:
    """Return the sample of packed data with the masks that the format gave, and what did not come back as it was.

    ``masks``: by instance id; an id that the data does not know is a new instance, one that has no mask here is gone.
    A mask without any pixel needs none in the format: where it was packed as empty it comes back as empty.
    An instance whose pixels are not those that were packed loses its outline and its prompts' meaning, so both go, and
    its origin is the import. With another image than the packed one (a format had to write the picture anew) the sample
    gets the id that its source gives it on this image. Raises ``InvalidRecord`` for data that is no packed sample.
    """
    if not isinstance(data, dict) or data.get("version") != VERSION:
        got = data.get("version") if isinstance(data, dict) else type(data).__name__
        raise InvalidRecord(f"a packed sample has version {VERSION}, got {got!r}")
    try:
        canonical_json(data).encode()
    except ValueError as error:  # NaN, or half of a surrogate pair, which JSON can hold and UTF-8 cannot
        raise InvalidRecord(
            f"a packed sample holds what no record can: {' '.join(str(error).split())[-100:]}"
        ) from error
    fields = {key: value for key, value in data.items() if key != "version"}
    packed, changes = fields.pop("instances", []), list[str]()
    empty = Mask.empty(image.size)
    if ignore is None and fields.get("ignore") == empty.content_hash():
        ignore = empty
    elif "ignore" in fields and fields["ignore"] != (ignore and ignore.content_hash()):
        changes.append("the ignore region has other pixels than it had")
    if not isinstance(packed, list) or not all(isinstance(one, dict) for one in packed):
        raise InvalidRecord("a packed sample's instances are a list of objects")
    if fields.get("image_id") != image.id:
        former = fields.get("id")
        keys = {key: str(fields.get(key)) for key in ("source", "source_record")}
        fields |= {"image_id": image.id, "id": sample_id(image_id=image.id, **keys)}
        changes.append(f"the picture is another file than it was: sample {former} is now {fields['id']}")
    instances, left = list[dict[str, Any]](), dict(masks)
    for one in packed:
        mask = left.pop(one["id"], None) if isinstance(one.get("id"), int) else None
        if mask is None and one.get("mask") == empty.content_hash():
            mask = empty
        if mask is None:
            changes.append(f"instance {one.get('id')} has no pixels any more and is left out")
        elif mask.content_hash() == one.get("mask"):
            instances.append({**one, "mask": mask})
        else:
            changes.append(f"instance {one['id']} has other pixels than it had")
            kept = {key: one[key] for key in ("id", "label", "source_id") if key in one}
            instances.append({**kept, "mask": mask, "origin": {"kind": "import"}})
    instances += [{"id": key, "mask": mask, "origin": {"kind": "import"}} for key, mask in left.items()]
    sample = Sample.parse({**fields, "size": image.size, "instances": instances, "ignore": ignore})
    return sample, changes
