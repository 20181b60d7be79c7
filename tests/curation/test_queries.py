"""Pages are the same however they are found, and counts are those of the samples one by one."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import product

import pytest
from sqlalchemy import insert, update

from tests.builders import complete, image_record
from whyseg.curation import queries
from whyseg.curation.ordering import Order
from whyseg.curation.queries import SampleFilter
from whyseg.curation.store import Store
from whyseg.curation.tables import AnswerRow, SampleRow, UserRow
from whyseg.curation.visibility import Viewer
from whyseg.schemas import Sample, State
from whyseg.schemas.sample import ReasoningType

COUNT, ANSWERED, ANSWER = 24, 3, 8  # how many, and the places of one that ben answers and of his answer
STATES = ("draft", "draft", "draft", "submitted", "accepted")
RANKED: tuple[Order, ...] = ("unsolved", "proposed", "findings", "updated")


@pytest.fixture
def store(new_url: str) -> Iterator[Store]:
    """Samples that differ in every way that lists look at, some in none; ben is answering one of them."""
    with closing(Store(new_url)) as made:
        made.add_samples([image_record(n) for n in range(COUNT)], [one(n) for n in range(COUNT)], author="ann")
        with made.database.write() as session:
            for n in range(COUNT):
                ranks: dict[str, int | None] = {
                    name: (n * 7 + k) % 5 if n % 3 else None for k, name in enumerate(RANKED[:3])
                }
                told = {
                    "state": STATES[n % 5],
                    "no_target": n % 4 == 0,
                    "updated_at": f"2026-01-0{n * 5 % 9 + 1}T00:00:00+00:00",
                    **ranks,
                }
                session.execute(update(SampleRow).where(SampleRow.added == n + 1).values(told))
            user = {
                "name": "ben",
                "key": "ben",
                "role": "annotator",
                "disabled": False,
                "password": "",
                "created_at": "",
            }
            session.execute(insert(UserRow).values(user))
            answer = {"sample_id": one(ANSWER).id, "original_id": one(ANSWERED).id, "user": "ben", "kind": "second"}
            head = made.head(one(ANSWERED).id).revision.id
            session.execute(insert(AnswerRow).values(**answer, original_revision=head, by="", at="", entry=1))
        yield made


def one(number: int) -> Sample:
    kind = tuple(ReasoningType)[number % 3]
    words = "which cup is warm?" if number % 5 else "what flies?"
    hops = ("cups hold drinks", "drinks cool down")[: 1 + number % 2]
    told = {"reasoning_type": kind, "hops": hops, "depth": len(hops)}
    return complete(number, query=words).model_copy(update=told)


def paged(store: Store, wanted: SampleFilter, order: Order, limit: int) -> list[str]:
    """The ids of all pages, the last of which is not full or empty."""
    found: list[str] = []
    while True:
        page = store.page(wanted, order=order, offset=len(found), limit=limit)
        found += [sample.id for sample in page.samples]
        if len(page.samples) < limit:
            assert page.total == len(found)
            return found


def expected(store: Store, wanted: SampleFilter, order: Order) -> list[str]:
    """The same from all samples, filtered and sorted here."""
    rows = store.page(SampleFilter(viewer=wanted.viewer), limit=COUNT).samples
    numbers = {one(n).id: n for n in range(COUNT)}
    kept = [row for row in rows if wanted.state in (None, row.state)]
    kept = [row for row in kept if wanted.text is None or wanted.text in (row.query or "")]
    if order == "updated":  # a day of nine by the sample's number, see the fixture
        return [
            row.id for row in sorted(kept, key=lambda row: (numbers[row.id] * 5 % 9, numbers[row.id]), reverse=True)
        ]
    if order in RANKED:
        ranks = {n: ((n * 7 + RANKED.index(order)) % 5 if n % 3 else 9) for n in range(COUNT)}
        kept.sort(key=lambda row: ranks[numbers[row.id]])
    return [row.id for row in kept]


@pytest.mark.parametrize("last", [0, 10**9])  # walks along every order, or along none
def test_pages_one_after_the_other_are_the_whole_list(store: Store, monkeypatch: pytest.MonkeyPatch, last: int) -> None:
    monkeypatch.setattr(queries, "_last", lambda _: last)
    filters: list[dict[str, object]] = [
        {},
        {"state": State.DRAFT},
        {"text": "warm"},
        {"text": "flies", "state": State.DRAFT},
        {"text": "w"},
    ]
    for fields, order, viewer in product(filters, ("added", *RANKED), (None, Viewer(name="ben"))):
        wanted = SampleFilter.parse({**fields, "viewer": viewer})
        assert paged(store, wanted, order, 7) == expected(store, wanted, order), (wanted, order)


def test_a_page_behind_the_last_is_empty_and_counts(store: Store) -> None:
    page = store.page(SampleFilter(text="flies"), offset=40)
    assert (page.total, page.samples) == (5, ())  # numbers 0, 5, 10, 15 and 20


def test_the_counts_are_those_of_the_samples_one_by_one(store: Store) -> None:
    rows = store.page(SampleFilter(), limit=COUNT).samples
    stats = store.stats()
    assert (stats.samples, stats.images, stats.revisions) == (COUNT - 1, COUNT, COUNT - 1)  # but the blind answer
    assert stats.no_target == sum(row.no_target for row in rows)
    assert stats.instances == sum(row.instances for row in rows) == COUNT - 1
    states = Counter(row.state for row in rows)
    assert stats.states == {state.value: states[state] for state in State}
    for matrix, some in ((stats.matrix, rows), (stats.accepted, [row for row in rows if row.state == State.ACCEPTED])):
        counted = Counter((str(row.reasoning_type), str(row.depth)) for row in some)
        assert {(kind, depth): n for kind, row in matrix.items() for depth, n in row.items()} == counted
