"""Samples drawn by hypothesis: masks with holes and several parts, and every field that a format may lose."""

from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from tests.pictures import encoded, pixels
from whyseg.curation.images import inspect
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Instance, Mask, Origin, Prompt, Query, QueryOrigin, ReasoningType, Sample

SIZES = ((5, 7), (9, 4))
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12).filter(
    str.strip
)


@st.composite
def masks(draw: st.DrawFn, size: tuple[int, int]) -> Mask:
    bits = draw(st.lists(st.booleans(), min_size=size[0] * size[1], max_size=size[0] * size[1]))
    return Mask.encode(np.array(bits).reshape(size))


@st.composite
def samples(draw: st.DrawFn, image_id: str, size: tuple[int, int], record: str) -> Sample:
    ids = draw(st.lists(st.integers(1, 9), max_size=3, unique=True))
    instances = tuple(
        Instance(
            id=number,
            mask=draw(masks(size)),
            label=draw(st.sampled_from(["", "cup", "object", "a 'b'\n"])).strip(),
            prompt=draw(st.sampled_from([Prompt(), Prompt.parse({"points": [{"x": 1, "y": 2.5}]})])),
            origin=draw(st.sampled_from([Origin(kind="click", model="m", retouched=True), Origin(kind="import")])),
            source_id=draw(st.sampled_from(["", "17"])),
        )
        for number in ids
    )
    query = st.builds(
        Query,
        text=TEXTS,
        is_sentence=st.booleans(),
        alternates=st.lists(TEXTS, max_size=2).map(tuple),
        origin=st.sampled_from([QueryOrigin(), QueryOrigin(kind="model", model="m", edit_distance=0.1)]),
    )
    hops = tuple(draw(st.lists(TEXTS, max_size=3)))
    return Sample.start(
        image_id,
        size,
        source="images",
        source_record=record,
        source_name=draw(st.sampled_from(["", "a name.json"])),
        split=draw(st.sampled_from([None, "test"])),
        query=draw(st.none() | query),
        instances=instances,
        ignore=draw(st.none() | masks(size)),
        no_target=not instances and draw(st.booleans()),
        reasoning_type=draw(st.none() | st.sampled_from(list(ReasoningType))),
        hops=hops,
        depth=len(hops) or draw(st.none() | st.just(2)),
    )


@st.composite
def sets(draw: st.DrawFn) -> list[tuple[bytes, list[Sample]]]:
    """Return one to three pictures, each with one or two samples."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        size = draw(st.sampled_from(SIZES))
        data = encoded(pixels(*size, seed=number))
        key = inspect(data, "a.png").id
        found.append((data, [draw(samples(key, size, str(record))) for record in range(draw(st.integers(1, 2)))]))
    return found


def filled(path: Path, pictures: list[tuple[bytes, list[Sample]]]) -> Workspace:
    """Make a workspace of pictures with their samples."""
    workspace = Workspace.create(path)
    for number, (data, some) in enumerate(pictures):
        workspace.blobs.put(data)
        license = ("CC0-1.0", "CC BY 4.0", None)[number]
        image = inspect(data, f"photos/{number} ä.png").model_copy(update={"license": license})
        workspace.store.add_samples([image], some, author="ann")
    return workspace
