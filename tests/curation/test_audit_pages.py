from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.builders import Clock, filled_workspace
from whyseg.curation.audit_pages import AuditFilter, AuditPage, actions, audit_page
from whyseg.curation.queries import SampleFilter
from whyseg.curation.store import Store
from whyseg.curation.tables import AuditRow
from whyseg.schemas import Query


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    """Two images with their samples (entries 1–4, by ann), then a save by ben on 2026-01-02 (entry 5)."""
    with filled_workspace(tmp_path / "w", 2) as filled:
        url = filled.store.database.engine.url
    made = Store(url, clock=clock)
    clock.advance(24 * 3600)
    head = made.head(first(made))
    asked = head.sample.model_copy(update={"query": Query(text="what?")})
    made.revise(head.sample.id, asked, parent=head.revision.id, author="ben")
    yield made
    made.close()


def first(store: Store) -> str:
    return store.page(SampleFilter()).samples[0].id


def numbers(page: AuditPage) -> list[int]:
    return [entry.number for entry in page.entries]


def look(store: Store, **wanted: object) -> AuditPage:
    return audit_page(store.database, AuditFilter.model_validate(wanted))


def test_the_newest_entries_come_first_a_page_at_a_time(store: Store) -> None:
    page = audit_page(store.database, AuditFilter(), offset=1, limit=2)
    assert (page.total, numbers(page), page.verified) == (5, [4, 3], True)
    assert numbers(audit_page(store.database, AuditFilter(), offset=5)) == []


def test_filters_restrict_what_is_shown_and_counted(store: Store) -> None:
    sample = first(store)
    assert numbers(look(store, actor="ben")) == [5]
    assert numbers(look(store, action="add_image")) == [3, 1]
    assert numbers(look(store, subject=sample)) == [5, 2]
    assert look(store, actor="ben", action="add_image").total == 0
    assert actions(store.database) == ["add_image", "add_sample", "revise"]


def test_times_are_from_since_to_before_until(store: Store, clock: Clock) -> None:
    entry = look(store, actor="ben").entries[0]
    assert entry.at == "2026-01-02T00:00:00Z"
    assert 5 in numbers(look(store, since=clock(), actor="ben"))
    assert 5 not in numbers(look(store, until=clock(), actor="ben"))


def test_an_entry_leads_to_its_sample(store: Store) -> None:
    sample = first(store)
    assert {entry.sample_id for entry in look(store, subject=sample).entries} == {sample}
    assert {entry.sample_id for entry in look(store, action="add_image").entries} == {None}


@pytest.mark.parametrize(
    ("changed", "broken"),
    [
        ({"actor": "eve"}, {4}),  # its own hash does not fit any more
        ({"detail": "{"}, {4}),
        ({"detail": "[]"}, {4}),
        ({"at": "yesterday"}, {4}),
        ({"previous": "sha256:0"}, {4}),
        ({"hash": "sha256:0"}, {4, 5}),  # nor does the one after it follow
    ],
)
def test_an_entry_that_was_changed_is_shown_as_one(store: Store, changed: dict[str, str], broken: set[int]) -> None:
    with store.database.write() as session:
        session.execute(update(AuditRow).where(AuditRow.number == 4).values(**changed))
    page = look(store)
    assert (page.total, page.verified) == (5, False)
    assert {entry.number for entry in page.entries if not entry.verified} == broken
    assert look(store, action="add_image").verified
