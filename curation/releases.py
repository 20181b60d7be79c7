"""Releases: revisions frozen under a name, with splits that keep similar pictures on one side."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import JSON, cast, insert, select, type_coerce
from sqlalchemy.orm import Session

from whyseg.curation import audit
from whyseg.curation.fingerprints import fingerprints
from whyseg.curation.queries import seen
from whyseg.curation.rows import revision_of
from whyseg.curation.similarity import groups, links
from whyseg.curation.splits import assign_splits
from whyseg.curation.tables import ImageRow, ReleaseItemRow, ReleaseRow, RevisionRow, SampleRow
from whyseg.curation.times import now, stamp
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Release, ReleaseItem, Revision, Split, release_hash
from whyseg.schemas.errors import CorruptStore, NotFound, UsageError
from whyseg.schemas.release import RELEASE_NAME, SPLITS
from whyseg.schemas.revision import State

States = Literal["accepted", "any"]
_ORDER = (ReleaseItemRow.split, ReleaseItemRow.image_id, ReleaseItemRow.sample_id)


class _Newest(NamedTuple):
    """A sample's newest revision, and the split that its source gave it."""

    sample_id: str
    image_id: str
    revision_id: str
    content: str
    given: Split | None


class Releases:
    """The releases of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._database = workspace.store.database

    def create(
        self,
        name: str,
        *,
        author: str,
        states: States = "accepted",
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Release:
        """Freeze the newest revisions of all accepted samples, or with "any" of all samples, and assign splits.

        ``progress`` gets how many pictures that no release has seen are looked at, and their number. Raises
        ``UsageError`` for a name that is taken or no release can have, or when there is nothing to freeze, and
        ``CorruptStore`` for a picture whose file is missing or broken.
        """
        if not RELEASE_NAME.fullmatch(name):
            raise UsageError(f"a release's name is letters, digits, '.', '_' and '-', at most 64, got {name!r}")
        while True:
            with self._database.read() as session:
                known = _names(session)
                _require_new(name, known)
                former = _former(session)
                newest = _newest(session, states)
            if not newest:
                lack = "there" if states == "any" else "accepted; --states any freezes all samples as they are"
                raise UsageError(f"there is nothing to freeze: no sample is {lack}")
            splits, notes = self._splits(newest, former, progress)
            items = [_frozen(one, splits[one.image_id]) for one in newest]
            release = _release(name, items, author=author, states=states, notes=notes)
            if self._add(release, items, known):
                return release

    def add(self, release: Release, items: Sequence[ReleaseItem]) -> None:
        """Add a release that was made elsewhere, of revisions that are here; raises ``UsageError`` for a taken name."""
        self._add(release, items, None)

    def _add(self, release: Release, items: Sequence[ReleaseItem], known: set[str] | None) -> bool:
        """Write a release; False when there are others by now than the ``known`` ones that its splits follow."""
        with self._database.write() as session:
            names = _names(session)
            _require_new(release.name, names)
            if known is not None and names != known:
                return False
            body = release.model_dump_json()
            session.add(ReleaseRow(name=release.name, created_at=stamp(release.created_at), body=body))
            session.flush()
            session.execute(insert(ReleaseItemRow), [{"release": release.name, **dict(item)} for item in items])
            audit.append(
                session,
                release.created_at,
                release.author,
                "release",
                release.name,
                release=release.content_hash(),
                hash=release.hash,
            )
        return True

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

    def page(
        self, name: str, *, split: Split | None = None, offset: int = 0, limit: int = 50
    ) -> tuple[int, list[ReleaseItem]]:
        """Return how many items a release has, of one split or of all, and some of them; raises ``NotFound``."""
        release = self.get(name)
        with self._database.read() as session:
            found = select(ReleaseItemRow).where(ReleaseItemRow.release == name).order_by(*_ORDER)
            if split:
                found = found.where(ReleaseItemRow.split == split)
            items = [_item(row) for row in session.scalars(found.offset(offset).limit(limit))]
        return (release.splits.get(split, 0) if split else release.samples), items

    def item(self, name: str, sample_id: str) -> ReleaseItem:
        """Return a release's item of a sample; raises ``NotFound``."""
        self.get(name)
        with self._database.read() as session:
            row = session.get(ReleaseItemRow, (name, sample_id))
            if row is None:
                raise NotFound(f"sample of release {name}", sample_id)
            return _item(row)

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

    def newest(self, states: States) -> list[ReleaseItem]:
        """Return the newest revisions as a release would freeze them, before they have splits: all in train."""
        with self._database.read() as session:
            return [_frozen(one, "train") for one in _newest(session, states)]

    def rejected(self) -> set[str]:
        """Return the samples that are rejected as they stand."""
        with self._database.read() as session:
            return set(session.scalars(select(SampleRow.id).where(SampleRow.state == State.REJECTED.value)))

    def _splits(
        self, newest: Sequence[_Newest], former: dict[str, Split], progress: Callable[[int, int], None]
    ) -> tuple[dict[str, Split], tuple[str, ...]]:
        given: dict[str, set[Split]] = {}
        for one in newest:
            given.setdefault(one.image_id, set()).update([one.given] if one.given else [])
        # Pictures that an earlier release has seen count too, or their near-duplicates could go to another side.
        images = sorted(given.keys() | former.keys())
        prints = fingerprints(self.workspace, images, progress)
        return assign_splits(groups(images, links(prints)), given, former)


def _names(session: Session) -> set[str]:
    return set(session.scalars(select(ReleaseRow.name)))


def _require_new(name: str, known: set[str]) -> None:
    if name in known:
        raise UsageError(f"release {name} exists already; a release never changes, take another name")


def _former(session: Session) -> dict[str, Split]:
    """Return the split that each image has in the releases that are there, or had in one that it was imported from."""
    split = _json(session, ImageRow.body)["split"].as_string()
    brought: Any = session.execute(select(ImageRow.id, split).where(split.is_not(None)))
    found: Any = session.execute(select(ReleaseItemRow.image_id, ReleaseItemRow.split).distinct())
    return {**dict(map(tuple, brought)), **dict(map(tuple, found))}


def _newest(session: Session, states: States) -> list[_Newest]:
    given = _json(session, RevisionRow.body)["split"].as_string()
    found = select(SampleRow.id, SampleRow.image_id, SampleRow.head, RevisionRow.content, given)
    found = found.join(RevisionRow, RevisionRow.id == SampleRow.head).where(*seen(None)).order_by(SampleRow.id)
    if states == "accepted":
        found = found.where(SampleRow.state == State.ACCEPTED.value)
    return [_Newest(*row) for row in session.execute(found)]


def _json(session: Session, body: Any) -> Any:
    """Return a column of JSON texts as JSON."""
    return type_coerce(body, JSON) if session.get_bind().dialect.name == "sqlite" else cast(body, JSON)


def _frozen(newest: _Newest, split: Split) -> ReleaseItem:
    keys = {name: getattr(newest, name) for name in ("sample_id", "image_id", "revision_id", "content")}
    return ReleaseItem(**keys, split=split)


def _release(
    name: str, items: Sequence[ReleaseItem], *, author: str, states: States, notes: tuple[str, ...]
) -> Release:
    return Release(
        name=name,
        hash=release_hash(items),
        created_at=now(),
        author=author,
        states=states,
        samples=len(items),
        images=len({item.image_id for item in items}),
        splits=count_splits(item.split for item in items),
        notes=notes,
    )


def count_splits(splits: Iterable[str]) -> dict[Split, int]:
    """Count samples by split, in the order of `SPLITS`."""
    counts = Counter(splits)
    return {split: counts[split] for split in SPLITS}


def _item(row: ReleaseItemRow) -> ReleaseItem:
    return ReleaseItem.parse({name: getattr(row, name) for name in ReleaseItem.model_fields})
