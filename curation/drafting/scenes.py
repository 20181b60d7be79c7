"""What is known of a sample's picture, gathered from all samples of it."""

from whyseg.curation.queries import SampleFilter
from whyseg.curation.store import Store
from whyseg.curation.visibility import Viewer
from whyseg.schemas import Instance, Sample, Scene, SceneObject

SAME_IOU = 0.8  # two masks of one picture that agree this much are one object
_PAGE = 200


def scene_of(store: Store, sample: Sample, viewer: Viewer | None = None) -> Scene:
    """Return the scene of a sample: its instances as targets, as the others those of the samples that a viewer sees.

    What several samples hold is one object; what covers a target is that target. Empty masks are left out.
    """
    found = [_object(instance, target=True) for instance in sample.instances if instance.mask.area]
    for other in _others(store, sample, viewer):
        for instance in other.instances:
            if instance.mask.area and not any(_same(instance, thing) for thing in found):
                found.append(_object(instance, target=False))
    return Scene(size=sample.size, objects=tuple(found))


def _others(store: Store, sample: Sample, viewer: Viewer | None) -> list[Sample]:
    wanted, ids, offset = SampleFilter(image_id=sample.image_id, viewer=viewer), list[str](), 0
    while True:
        page = store.page(wanted, offset=offset, limit=_PAGE)
        ids += [summary.id for summary in page.samples if summary.id != sample.id]
        offset += _PAGE
        if offset >= page.total:
            return [store.head(key).sample for key in ids]


def _object(instance: Instance, *, target: bool) -> SceneObject:
    mask = instance.mask
    return SceneObject(label=instance.label, box=mask.box_xyxy, area=mask.area, target=target, mask=mask)


def _same(instance: Instance, thing: SceneObject) -> bool:
    return thing.mask is not None and instance.mask.iou(thing.mask) >= SAME_IOU
