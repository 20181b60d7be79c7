"""What the server's tests share: pictures in a workspace, and edits of samples."""

from typing import Any

from tests.builders import instance
from tests.fakes import FakeSegmenter
from whyseg.curation.clicks import ClickService
from whyseg.curation.images import RgbArray, inspect, read_upright
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Sample


def add_picture(workspace: Workspace, data: bytes, name: str) -> Sample:
    """Take a picture in, with its empty sample."""
    image = inspect(data, name)
    workspace.blobs.put(data)
    workspace.store.add_image(image, author="ann")
    empty = Sample.start(image.id, image.size, source="images", source_record="")
    return workspace.store.add_sample(empty, author="ann").sample


def make_clicks(workspace: Workspace) -> ClickService:
    return ClickService(FakeSegmenter(), lambda key: upright(workspace, key), reason="a test")


def upright(workspace: Workspace, image_id: str) -> RgbArray:
    return read_upright(workspace.blobs.read(image_id), image_id).pixels


def edited(sample: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a sample's plain data with fields changed."""
    return Sample.parse({**sample, **changes}).plain()


def drawn(sample: dict[str, Any], number: int, mask: Mask, label: str = "") -> dict[str, Any]:
    """Return a sample's plain data with one instance more."""
    return edited(sample, instances=[*sample["instances"], instance(number, mask, label).plain()])


def complete(sample: dict[str, Any], mask: Mask) -> dict[str, Any]:
    """Return a sample's plain data with all that a submission needs."""
    text = {"query": {"text": "what keeps the drink warm?"}, "reasoning_type": "function_purpose"}
    return edited(drawn(sample, 1, mask), **text, hops=["a cup holds drinks"], depth=1)
