"""Workspaces with samples on small noise pictures, for the tests of releases."""

from datetime import datetime

from tests.builders import block, instance
from tests.pictures import encoded, pixels
from whyseg.curation.images import inspect
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Review, Sample, Split

SIZE = (40, 50)


def add(
    workspace: Workspace, number: int, *, author: str = "ann", copy: bool = False, split: Split | None = None
) -> Sample:
    """Add a picture of noise with a complete sample; a ``copy`` is the same picture one grey level brighter."""
    shown = pixels(*SIZE, seed=number)
    data = encoded(shown.clip(1, 254) + 1 if copy else shown)
    image = inspect(data, f"{number}.png")
    workspace.blobs.put(data)
    sample = Sample.start(
        image.id,
        image.size,
        source="images",
        source_record="",
        query={"text": f"what is {number}?"},
        instances=(instance(1, block(2, 3, 4, 6, SIZE)),),
        reasoning_type="P/F",
        hops=("so",),
        depth=1,
        split=split,
    )
    workspace.store.add_samples([image], [sample], author=author)
    return sample


def accept(workspace: Workspace, sample: Sample, *, reviewer: str = "rey") -> None:
    store = workspace.store
    head = store.submit(sample.id, parent=store.head(sample.id).revision.id, author="ann")
    at = datetime.fromisoformat("2026-01-01T00:00:00Z")
    keys = {"id": f"r-{head.revision.id}", "sample_id": sample.id, "revision_id": head.revision.id}
    store.review(Review.parse({**keys, "reviewer": reviewer, "decision": "accept", "created_at": at}))


def revised(workspace: Workspace, sample: Sample, text: str, mask: Mask | None = None) -> Sample:
    """Give a sample another question, and another mask where one is said."""
    head = workspace.store.head(sample.id)
    changes = {"query": {"text": text}, **({"instances": [instance(1, mask).plain()]} if mask else {})}
    changed = Sample.parse({**head.sample.plain(), **changes})
    return workspace.store.revise(sample.id, changed, parent=head.revision.id, author="bob").sample


def splits(workspace: Workspace, name: str) -> dict[str, Split]:
    return {item.image_id: item.split for item in Releases(workspace).items(name)}
