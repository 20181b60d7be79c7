"""A workspace with a release on real, small pictures, for the tests of cards and of publishing."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tests.pictures import encoded
from whyseg.curation.images import inspect
from whyseg.curation.releases import Releases, States
from whyseg.curation.store import Store
from whyseg.curation.times import now
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Instance, Mask, Origin, Query, QueryOrigin, ReasoningType, Review, Sample
from whyseg.schemas.sample import Text

SIZE = (60, 80)
QUERIES = ("what keeps the drink warm?", "which of them is to be read?", "what would fall first?")


def add_sample(
    workspace: Workspace, number: int, *, query: Text | None = None, license: str | None = None, accept: bool = True
) -> Sample:
    """Add a picture of a coloured disc with a complete sample; its type and depth go by its number."""
    rng = np.random.default_rng(number)
    pixels = np.full((*SIZE, 3), rng.integers(40, 200, 3), np.uint8)
    pixels[::7] = rng.integers(0, 256, 3)
    disc = np.zeros(SIZE, np.uint8)
    cv2.circle(disc, (30 + number % 20, 30), 8 + number % 7, 1, -1)
    pixels[disc > 0] = rng.integers(0, 256, 3)
    data = encoded(pixels)
    image = inspect(data, f"{number}.png").model_copy(update={"license": license})
    workspace.blobs.put(data)
    hops = ("it has a lid", "a lid keeps warm")[: 1 + number % 2]
    sample = Sample.start(
        image.id,
        image.size,
        source="images",
        source_record="",
        query=Query(text=query or QUERIES[number % 3], origin=QueryOrigin(kind="model", model="tiny-drafter")),
        instances=(Instance(id=1, mask=Mask.encode(disc), label="disc", origin=Origin(kind="click", model="fake")),),
        reasoning_type=list(ReasoningType)[number % 4],
        hops=hops,
        depth=len(hops),
    )
    workspace.store.add_samples([image], [sample], author="ann")
    if accept:
        accepted(workspace.store, sample.id)
    return sample


def accepted(store: Store, sample_id: str) -> None:
    """Submit a sample and accept it."""
    head = store.head(sample_id)
    head = store.submit(sample_id, parent=head.revision.id, author="ann")
    review = Review(
        id=f"review-{sample_id}",
        sample_id=sample_id,
        revision_id=head.revision.id,
        reviewer="bob",
        decision="accept",
        created_at=now(),
    )
    store.review(review)


def released(path: Path, name: str = "v1", *, samples: int = 4, states: States = "accepted") -> Workspace:
    """Make a workspace with that many accepted samples, frozen as a release."""
    workspace = Workspace.create(path)
    for number in range(samples):
        add_sample(workspace, number, license="CC0-1.0" if number % 2 else None)
    Releases(workspace).create(name, author="ann", states=states)
    return workspace


def with_queries(path: Path, texts: Sequence[str], *, license: str | None = None) -> Workspace:
    """Make a workspace with a release of one sample a question, on pictures of that licence."""
    workspace = Workspace.create(path)
    for number, text in enumerate(texts):
        add_sample(workspace, number, query=text, license=license)
    Releases(workspace).create("v1", author="ann")
    return workspace
