"""Releases: revisions frozen under a name, with splits that keep similar pictures on one side."""

from collections.abc import Iterator, Sequence
from typing import Literal

from sqlalchemy import select

from whyseg.curation import audit
from whyseg.curation.rows import revision_of
from whyseg.curation.tables import ReleaseItemRow, ReleaseRow, RevisionRow, SampleRow
from whyseg.curation.times import now, stamp
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Release, ReleaseItem, Revision, Split, release_hash
from whyseg.schemas.errors import CorruptStore, NotFound, UsageError
from whyseg.schemas.release import RELEASE_NAME, SPLITS
from whyseg.schemas.revision import State

States = Literal["accepted", "any"]
_ORDER = (ReleaseItemRow.split, ReleaseItemRow.image_id, ReleaseItemRow.sample_id)


class Releases:
    """The releases of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._database = workspace.store.database

    def create(self, name: str, *, author: str, states: States = "accepted") -> Release:
        """Freeze the newest revisions of all accepted samples, or with "any" of all samples, and assign splits.

        Raises ``UsageError`` for a name that is taken or no release can have, or when there is nothing to freeze.
        """
        if not RELEASE_NAME.fullmatch(name):
            raise UsageError(f"a release's name is letters, digits, '.', '_' and '-', at most 64, got {name!r}")
        items = self._freeze(states)
        if not items:
            raise UsageError(f"there is nothing to freeze: no sample is {'there' if states == 'any' else 'accepted'}")
        at = now()
        release = Release(
            name=name,
            hash=release_hash(items),
            created_at=at,
            author=author,
            states=states,
            samples=len(items),
            images=len({item.image_id for item in items}),
            splits={split: sum(item.split == split for item in items) for split in SPLITS},
        )
        with self._database.write() as session:
            if session.get(ReleaseRow, name):
                raise UsageError(f"release {name} exists already; a release never changes, take another name")
            session.add(ReleaseRow(name=name, created_at=stamp(at), body=release.model_dump_json()))
            session.flush()
            session.add_all(ReleaseItemRow(release=name, **item.plain()) for item in items)
            audit.append(session, at, author, "release", name, release=release.content_hash(), hash=release.hash)
        return release

    def get(self, name: str) -> Release:
        """Return a release; raises ``NotFound``."""
        with self._database.read() as session:
            row = session.get(ReleaseRow, name)
            if row is None:
                raise NotFound("release", name)
            return Release.parse(row.body)

    def all(self) -> list[Release]:
        """Return all releases, oldest first."""
        with self._database.read() as session:
            found = select(ReleaseRow.body).order_by(ReleaseRow.created_at, ReleaseRow.name)
            return [Release.parse(body) for body in session.scalars(found)]

    def items(self, name: str) -> list[ReleaseItem]:
        """Return a release's items by split, image and sample; raises ``NotFound``."""
        self.get(name)
        with self._database.read() as session:
            found = select(ReleaseItemRow).where(ReleaseItemRow.release == name).order_by(*_ORDER)
            return [_item(row) for row in session.scalars(found.execution_options(yield_per=1000))]

    def revisions(self, items: Sequence[ReleaseItem]) -> Iterator[Revision]:
        """Yield the items' revisions in their order, a few hundred a question; raises ``CorruptStore``."""
        for start in range(0, len(items), 200):
            some = items[start : start + 200]
            with self._database.read() as session:
                found = select(RevisionRow).where(RevisionRow.id.in_([item.revision_id for item in some]))
                revisions = {row.id: revision_of(row) for row in session.scalars(found)}
            for item in some:
                if item.revision_id not in revisions:
                    raise CorruptStore(f"revision {item.revision_id} of sample {item.sample_id} is gone")
                yield revisions[item.revision_id]

    def _freeze(self, states: States) -> list[ReleaseItem]:
        with self._database.read() as session:
            found = select(SampleRow.id, SampleRow.image_id, SampleRow.head, RevisionRow.content)
            found = found.join(RevisionRow, RevisionRow.id == SampleRow.head)
            if states == "accepted":
                found = found.where(SampleRow.state == State.ACCEPTED.value)
            rows = session.execute(found).all()
        split: Split = "train"
        return [
            ReleaseItem(sample_id=sample, image_id=image, revision_id=head, content=content, split=split)
            for sample, image, head, content in rows
        ]


def _item(row: ReleaseItemRow) -> ReleaseItem:
    return ReleaseItem.parse({name: getattr(row, name) for name in ReleaseItem.model_fields})
