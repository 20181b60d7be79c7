"""A sample: an image, an implicit question about it, and the pixels that answer it."""

import hashlib
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from whyseg.schemas.canonical import canonical_json, content_hash
from whyseg.schemas.errors import InvalidRecord, SizeMismatch
from whyseg.schemas.image import Sha256, Split
from whyseg.schemas.mask import Mask, Side, union
from whyseg.schemas.prompt import Prompt
from whyseg.schemas.record import Record

MAX_DEPTH = 4


class ReasoningType(StrEnum):
    """ReasonSeg-X's four kinds of reasoning between a question and its pixels."""

    FUNCTION_PURPOSE = "function_purpose"
    COMMONSENSE = "commonsense"
    COMPARATIVE_RELATIONAL = "comparative_relational"
    COMPOSITIONAL = "compositional"


_ALIASES = {
    ReasoningType.FUNCTION_PURPOSE: ("P/F", "Purpose/Functional", "Function/Purpose"),
    ReasoningType.COMMONSENSE: ("C/KI", "Commonsense/Knowledge-Intensive", "Knowledge-Intensive"),
    ReasoningType.COMPARATIVE_RELATIONAL: ("C/R", "Comparative/Relational"),
    ReasoningType.COMPOSITIONAL: ("C/MH", "Compositional/Multi-Hop", "Multi-Hop"),
}


def _key(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


_TYPE_OF = {_key(name): kind for kind, names in _ALIASES.items() for name in (kind.value, *names)}


def as_reasoning_type(name: object) -> object:
    """Return the reasoning type for any of its names; case, spaces and punctuation do not count.

    Whatever is no known name is returned as it came, for validation to refuse.

    >>> as_reasoning_type("C/MH")
    <ReasoningType.COMPOSITIONAL: 'compositional'>
    """
    return _TYPE_OF.get(_key(name), name) if isinstance(name, str) else name


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


class QueryOrigin(Record):
    """Who wrote a question, and how far a person moved it from a model's draft (0 not at all … 1 nothing is left)."""

    kind: Literal["human", "import", "model"] = "human"
    model: str | None = None
    edit_distance: Annotated[float, Field(ge=0, le=1)] | None = None


class Query(Record):
    """The implicit question: a sentence or a phrase, and paraphrases of it."""

    text: Text
    is_sentence: bool = True
    alternates: tuple[Text, ...] = ()
    origin: QueryOrigin = QueryOrigin()


class Origin(Record):
    """Where a mask came from: the tool, the model behind that tool, and whether a hand changed it since."""

    kind: Literal["click", "brush", "polygon", "import", "model"]
    model: str | None = None
    retouched: bool = False


Ring = tuple[tuple[float, float], ...]


class Instance(Record):
    """One object's mask with a short label, the prompts or the outline that made it, and its origin.

    ``outline``: rings of (x, y) in continuous pixel coordinates, where pixel i spans [i, i + 1); the mask is every
    pixel whose centre they enclose by the even-odd rule. Empty when the mask was not drawn as a polygon.
    """

    id: Annotated[int, Field(ge=1)]  # stable across revisions of its sample
    mask: Mask
    label: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    prompt: Prompt = Prompt()
    outline: tuple[Ring, ...] = ()
    origin: Origin
    source_id: Annotated[str, Field(max_length=200)] = ""  # its id in the source, such as a COCO annotation's


def source_key(data: Any) -> str:
    """Return the key of a source record that has none of its own: 16 hexadecimal characters of its content's hash.

    Names and ids do not belong into ``data``, plain JSON: the same content then is the same sample wherever it lies.
    """
    return content_hash(data).removeprefix("sha256:")[:16]


def sample_id(source: str, image_id: str, source_record: str) -> str:
    """Return the id that source, image and source record give a sample: the same on every machine.

    24 hexadecimal characters (96 bits) of the SHA-256 of their canonical JSON.
    """
    return hashlib.sha256(canonical_json([source, image_id, source_record]).encode()).hexdigest()[:24]


class Sample(Record):
    """An image, a question and the instances that answer it, with reasoning type, hops and depth.

    ``size`` is (height, width) of the upright image; every mask has it. ``no_target`` says that nothing in the image
    answers the question. ``hops`` is the written chain from question to target; ``depth`` is their number, and may
    stand alone where a source gives no hops.
    """

    id: str
    image_id: Sha256
    source: str  # what brought it: annotation, images, reasonseg, …
    source_record: str  # its key there
    source_name: Annotated[str, Field(max_length=1000)] = ""  # what the source calls it: a file's name, an id
    split: Split | None = None  # where the source has put it; releases follow
    size: tuple[Side, Side]
    query: Query | None = None
    instances: tuple[Instance, ...] = ()
    ignore: Mask | None = None
    no_target: bool = False
    reasoning_type: Annotated[ReasoningType, BeforeValidator(as_reasoning_type)] | None = None
    hops: Annotated[tuple[Text, ...], Field(max_length=MAX_DEPTH)] = ()
    depth: Annotated[int, Field(ge=1, le=MAX_DEPTH)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.id != sample_id(self.source, self.image_id, self.source_record):
            raise InvalidRecord(f"sample id {self.id} does not follow from its source, image and source record")
        for instance in self.instances:
            if instance.mask.size != self.size:
                raise SizeMismatch(f"instance {instance.id}", self.size, instance.mask.size)
        if self.ignore and self.ignore.size != self.size:
            raise SizeMismatch("ignore region", self.size, self.ignore.size)
        if len({instance.id for instance in self.instances}) < len(self.instances):
            raise InvalidRecord(f"instance ids repeat: {[instance.id for instance in self.instances]}")
        if self.no_target and self.instances:
            raise InvalidRecord(f"a no-target sample has no instances, got {len(self.instances)}")
        if self.hops and self.depth != len(self.hops):
            raise InvalidRecord(f"depth is the number of hops: expected {len(self.hops)}, got {self.depth}")
        return self

    @classmethod
    def start(cls, image_id: str, size: tuple[int, int], *, source: str, source_record: str, **fields: Any) -> Self:
        """Build the sample of a source record; ``fields`` are those that it has from the start.

        Raises ``InvalidRecord`` for fields that no sample can hold.
        """
        keys = {"image_id": image_id, "source": source, "source_record": source_record}
        return cls.parse({"id": sample_id(**keys), **keys, "size": size, **fields})

    def target(self) -> Mask:
        """Return the union of the instances' masks."""
        return union([instance.mask for instance in self.instances], self.size)

    def missing(self) -> tuple[str, ...]:
        """Say what the sample lacks before it can be submitted; empty when it is complete."""
        lacks = []
        if self.query is None:
            lacks.append("the question is missing")
        if not self.instances and not self.no_target:
            lacks.append("no mask answers the question (mark the sample as no-target if nothing does)")
        lacks += [f"the mask of instance {i.id} is empty" for i in self.instances if not i.mask.area]
        if self.reasoning_type is None:
            lacks.append("the reasoning type is missing")
        if self.depth is None:
            lacks.append("the hops are missing: write the steps from the question to the target")
        return tuple(lacks)
