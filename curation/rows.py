"""Between revisions and their rows."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from whyseg.curation.rankings import unranked
from whyseg.curation.tables import RevisionRow, SampleRow
from whyseg.curation.times import stamp
from whyseg.schemas.errors import CorruptStore
from whyseg.schemas.revision import Revision, State


def all_revisions(session: Session) -> Iterator[RevisionRow]:
    """Yield every revision's row, sample by sample in order, without holding them all."""
    found = select(RevisionRow).order_by(RevisionRow.sample_id, RevisionRow.number)
    for row in session.scalars(found.execution_options(yield_per=500)):
        session.expunge(row)
        yield row


def revision_of(row: RevisionRow) -> Revision:
    """Return the record of a row; raises ``CorruptStore`` when the row holds none."""
    try:
        return Revision.parse(
            {
                "id": row.id,
                "content": row.content,
                "sample": json.loads(row.body),
                "number": row.number,
                "parent": row.parent,
                "author": row.author,
                "created_at": row.created_at,
                "edit": row.edit,
            }
        )
    except (ValueError, TypeError, RecursionError) as error:  # broken JSON, or data that no record can hold
        raise CorruptStore(f"revision {row.id} of sample {row.sample_id} cannot be read: {error}") from error


def row_of(revision: Revision) -> RevisionRow:
    """Return the row of a record."""
    return RevisionRow(**_columns(revision))


def _columns(revision: Revision) -> dict[str, Any]:
    return {
        "id": revision.id,
        "sample_id": revision.sample.id,
        "number": revision.number,
        "parent": revision.parent,
        "content": revision.content,
        "author": revision.author,
        "created_at": stamp(revision.created_at),
        "edit": revision.edit,
        "body": revision.sample.model_dump_json(),
    }


def add_sample_rows(session: Session, revisions: Sequence[Revision]) -> None:
    """Add drafts with their first revisions behind all samples that there are; their images are in the database."""
    last = session.info.get("added") or session.scalar(select(func.max(SampleRow.added))) or 0
    session.info["added"] = last + len(revisions)  # a session lives as long as its transaction
    if revisions:
        samples = [
            {"id": revision.sample.id, "added": added, **_standing(revision, State.DRAFT)}
            for added, revision in enumerate(revisions, last + 1)
        ]
        session.connection().execute(insert(SampleRow), samples)
        session.connection().execute(insert(RevisionRow), [_columns(revision) for revision in revisions])


def point(row: SampleRow, revision: Revision, state: State) -> None:
    """Make a sample's row point to its newest revision, of which no signals and proposals are known."""
    for name, value in _standing(revision, state).items():
        setattr(row, name, value)


def _standing(revision: Revision, state: State) -> dict[str, Any]:
    return {**pointer(revision), **unranked(), "state": state.value, "updated_at": stamp(revision.created_at)}


def pointer(revision: Revision) -> dict[str, Any]:
    """Return the columns of a sample's row that its newest revision determines."""
    sample = revision.sample
    return {
        "head": revision.id,
        "image_id": sample.image_id,
        "number": revision.number,
        "query": sample.query.text if sample.query else None,
        "reasoning_type": sample.reasoning_type.value if sample.reasoning_type else None,
        "depth": sample.depth,
        "instances": len(sample.instances),
        "no_target": sample.no_target,
    }
