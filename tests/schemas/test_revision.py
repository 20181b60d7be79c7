from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.builders import complete
from whyseg.schemas import AuditEntry, Review, Revision
from whyseg.schemas.errors import InvalidRecord

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def make(**changes: object) -> Revision:
    values = {"number": 1, "parent": None, "author": "ann", "created_at": AT, **changes}
    return Revision.make(complete(), **values)  # type: ignore[arg-type]


def test_a_revision_reads_back_equal_and_derives_its_own_id() -> None:
    made = make(edit="e1")
    assert Revision.parse(made.model_dump_json()) == made
    assert made.derived_id() == made.id
    assert made.content == made.sample.content_hash()


def test_the_id_covers_parent_author_and_time_but_the_content_does_not() -> None:
    made = make()
    others = [make(author="bob"), make(created_at=AT.replace(second=6)), make(number=2, parent="sha256:1")]
    assert len({made.id, *(other.id for other in others)}) == 4
    assert {other.content for other in others} == {made.content}


def test_only_the_first_revision_has_no_parent() -> None:
    with pytest.raises(InvalidRecord, match="only the first has no parent"):
        Revision.parse({**make().plain(), "number": 2})


def test_a_rejection_needs_a_reason_and_an_acceptance_has_none() -> None:
    base = {"id": "r", "sample_id": "s", "revision_id": "v", "reviewer": "rey", "created_at": AT}
    with pytest.raises(InvalidRecord, match="at least one reason"):
        Review.parse({**base, "decision": "reject"})
    with pytest.raises(InvalidRecord, match="no reasons"):
        Review.parse({**base, "decision": "accept", "reasons": ["boundary"]})
    assert Review.parse({**base, "decision": "reject", "reasons": ["boundary"]}).reasons == ("boundary",)


def test_an_audit_entry_vouches_for_everything_in_it() -> None:
    base = {"number": 1, "at": AT, "actor": "ann", "action": "revise", "subject": "s", "previous": "p", "hash": ""}
    hashes = {
        AuditEntry.parse({**base, key: value}).derived_hash()
        for key, value in {
            "number": 2,
            "actor": "bob",
            "action": "submit",
            "subject": "t",
            "previous": "q",
            "detail": {"a": 1},
        }.items()
    }
    assert len(hashes | {AuditEntry.parse(base).derived_hash()}) == 7


def test_one_moment_has_one_hash_in_whatever_zone_it_was_told() -> None:
    east = AT.astimezone(timezone(timedelta(hours=2)))
    assert make(created_at=east).id == make().id
    base = {"id": "r", "sample_id": "s", "revision_id": "v", "reviewer": "rey", "decision": "accept"}
    here, there = (Review.parse({**base, "created_at": at}) for at in (AT, east))
    assert here.content_hash() == there.content_hash()
