"""Annotate one picture from Python: import, click, refine, ask, submit, find it again.

python examples/01_annotate.py PICTURE.jpg X,Y [--segmenter auto] [--workspace DIR]
"""

import argparse
import tempfile
from pathlib import Path

from whyseg.curation.clicks import ClickReply, ClickService
from whyseg.curation.images import read_upright
from whyseg.curation.importing import import_images
from whyseg.curation.queries import SampleFilter
from whyseg.curation.segmenters import choose, mask_from_crop
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Instance, Origin, Point, Prompt, Query, ReasoningType


def main() -> None:
    """Walk from a picture file to a submitted sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("point", help="X,Y of a pixel on the object")
    parser.add_argument("--segmenter", default="auto")
    parser.add_argument("--workspace", type=Path, default=None)
    arguments = parser.parse_args()
    path = arguments.workspace or Path(tempfile.mkdtemp()) / "workspace"
    x, y = map(float, arguments.point.split(","))

    with Workspace.ensure(path) as workspace:
        report = import_images(workspace, arguments.picture, author="ann")
        print(f"imported: {report.added} added, {report.skipped} known")
        store = workspace.store
        head = store.head(store.page(SampleFilter(), order="updated").samples[0].id)
        sample = head.sample

        segmenter, reason = choose(arguments.segmenter)
        print(f"segmenter: {reason}")
        clicks = ClickService(segmenter, lambda key: read_upright(workspace.blobs.read(key), key).pixels, reason=reason)
        prompt = Prompt(points=(Point(x=x, y=y),))
        reply = clicks.click("example", 1, sample.image_id, sample.size, prompt)
        assert isinstance(reply, ClickReply)  # nobody else clicks as "example"
        mask = mask_from_crop(sample.size, reply.best.bbox, reply.best.counts)
        clicks.close()
        print(f"clicked: {mask.area} pixels, predicted IoU {reply.best.score:.2f}")

        origin = Origin(kind="click", model=segmenter.model)
        answered = sample.model_copy(
            update={
                "instances": (Instance(id=1, mask=mask, label="cup", prompt=prompt, origin=origin),),
                "query": Query(text="What in this picture keeps the drink warm?"),
                "reasoning_type": ReasoningType.FUNCTION_PURPOSE,
                "hops": ("A cup is made to hold a hot drink.",),
                "depth": 1,
            }
        )
        saved = store.revise(sample.id, answered, parent=head.revision.id, author="ann")
        submitted = store.submit(sample.id, parent=saved.revision.id, author="ann")
        print(f"revision {submitted.revision.number} is {submitted.state.value}")

    with Workspace.open(path) as workspace:
        again = workspace.store.head(sample.id)
        print(f"found again: {again == submitted}; problems: {len(verify(workspace))}")


if __name__ == "__main__":
    main()
