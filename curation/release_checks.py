"""Whether a release is still what was frozen: cheaply from the list entries, or from what lies below them."""

import hashlib
from collections.abc import Callable, Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from whyseg.curation.releases import Releases, count_splits
from whyseg.curation.tables import ReleaseItemRow, ReleaseRow, RevisionRow, SampleRow
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Release, ReleaseItem, release_hash
from whyseg.schemas.errors import CorruptStore, NotFound

_SOME = 200


def list_problems(session: Session, row: ReleaseRow, sides: dict[str, str]) -> Iterator[str]:
    """Yield what is wrong with a release's header and items; ``sides`` receives each image's split over all releases.

    No revision is read: their own hashes are somebody else's to check.
    """
    try:
        release = Release.parse(row.body)
    except ValueError as error:
        yield f"cannot be read: {error}"
        return
    if release.name != row.name:
        yield f"its record is of another release, {release.name}"
    joined = select(ReleaseItemRow, RevisionRow.sample_id, RevisionRow.content, SampleRow.image_id)
    joined = joined.outerjoin(RevisionRow, RevisionRow.id == ReleaseItemRow.revision_id)
    joined = joined.outerjoin(SampleRow, SampleRow.id == ReleaseItemRow.sample_id)
    joined = joined.where(ReleaseItemRow.release == row.name).order_by(ReleaseItemRow.sample_id)
    items = []
    for found, sample_id, content, image_id in session.execute(joined.execution_options(yield_per=1000)):
        if (found.sample_id, found.content) != (sample_id, content):
            yield f"sample {found.sample_id}: its entry differs from revision {found.revision_id}"
        if found.image_id != image_id:
            yield f"sample {found.sample_id}: its entry names image {found.image_id}, expected {image_id}"
        side = sides.setdefault(found.image_id, found.split)
        if side != found.split:
            yield f"image {found.image_id} is in {found.split}, and elsewhere in {side}"
        try:
            items.append(ReleaseItem.parse({name: getattr(found, name) for name in ReleaseItem.model_fields}))
        except ValueError as error:
            yield f"sample {found.sample_id}: its entry cannot be read: {error}"
    images = len({item.image_id for item in items})
    if release_hash(items) != release.hash:
        yield f"its {len(items)} entries give another hash than its own, {release.hash}"
    if (len(items), images, count_splits(i.split for i in items)) != (release.samples, release.images, release.splits):
        yield f"its entries are {len(items)} samples of {images} images, its record counts otherwise"


def verify_release(
    workspace: Workspace, name: str, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[str]:
    """Derive a release's hash again from what its revisions hold, and every picture's from its file.

    Returns what does not agree, a line each; none when the release is whole. ``progress`` gets the samples done and
    their number. Raises ``NotFound``, and ``CorruptStore`` when the release's own record cannot be read.
    """
    releases = Releases(workspace)
    try:
        release = releases.get(name)
        items = releases.items(name)
    except ValueError as error:
        raise CorruptStore(f"release {name} cannot be read: {error}") from error
    with workspace.store.database.read() as session:
        row = session.get(ReleaseRow, name)
        problems = list(list_problems(session, row, {})) if row else [f"release {name} is gone"]
    problems += _unlogged(workspace, release)
    found, image_id = [], ""
    for start in range(0, len(items), _SOME):
        for item in items[start : start + _SOME]:
            if item.image_id != image_id:  # items come image by image
                image_id = item.image_id
                problems += _file_problems(workspace, image_id)
            content, wrong = _derived(releases, item)
            problems += wrong
            found.append(item.model_copy(update={"content": content}))
        progress(len(found), len(items))
    if release_hash(found) != release.hash:
        problems.append(f"its revisions' content gives another hash than its own, {release.hash}")
    return problems


def _unlogged(workspace: Workspace, release: Release) -> Iterator[str]:
    for entry in workspace.store.audit_log(subject=release.name):
        if entry.action == "release" and entry.detail.get("release") == release.content_hash():
            if entry.derived_hash() != entry.hash:
                yield f"audit entry {entry.number} was changed: its hash does not fit"
            return
    yield "its record is not the one in the audit log"


def _derived(releases: Releases, item: ReleaseItem) -> tuple[str, list[str]]:
    """Return the content hash of what an item's revision holds, and what is wrong with it."""
    where = f"sample {item.sample_id}"
    try:
        (revision,) = releases.revisions([item])
    except CorruptStore as error:
        return "", [f"{where}: {error}"]
    content, wrong = revision.sample.content_hash(), []
    if content != item.content:
        wrong.append(f"{where}: its content was changed: the content hash does not fit")
    if revision.derived_id() != revision.id:
        wrong.append(f"{where}: its revision was changed: the hash does not fit")
    if (revision.sample.id, revision.sample.image_id) != (item.sample_id, item.image_id):
        wrong.append(f"{where}: its revision is about another sample or image")
    return content, wrong


def _file_problems(workspace: Workspace, image_id: str) -> Iterator[str]:
    try:
        image = workspace.store.image(image_id)
        data = workspace.blobs.read(image_id)
    except NotFound as error:
        yield f"image {image_id}: {error}"
        return
    except (ValueError, OSError) as error:
        yield f"image {image_id}: cannot be read: {error}"
        return
    if hashlib.sha256(data).hexdigest() != image_id:
        yield f"image {image_id}: its file was changed ({image.file_name})"
