from collections.abc import Iterator

import pytest

from tests.builders import Clock, image_record, sample
from whyseg.curation.queries import SampleFilter
from whyseg.curation.store import Store
from whyseg.schemas.errors import LeaseHeld, LeaseLost, NotFound

KEYS = [sample(number).id for number in range(2)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(new_url: str, clock: Clock) -> Iterator[Store]:
    store = Store(new_url, clock=clock)
    store.add_samples([image_record(0), image_record(1)], [sample(0), sample(1)], author="ann")
    yield store
    store.close()


def test_a_lease_keeps_others_away_until_it_expires(store: Store, clock: Clock) -> None:
    lease = store.claim(KEYS[0], "ann", seconds=60)
    with pytest.raises(LeaseHeld, match="held by ann"):
        store.claim(KEYS[0], "bob")
    clock.advance(61)
    taken = store.claim(KEYS[0], "bob")
    assert taken.holder == "bob"
    with pytest.raises(LeaseLost):
        store.renew(lease)


def test_a_heartbeat_prolongs_a_lease(store: Store, clock: Clock) -> None:
    lease = store.claim(KEYS[0], "ann", seconds=60)
    clock.advance(50)
    renewed = store.renew(lease, seconds=60)
    clock.advance(50)  # 100 seconds after the claim, 50 after the heartbeat
    with pytest.raises(LeaseHeld):
        store.claim(KEYS[0], "bob")
    assert renewed.token == lease.token


def test_an_expired_lease_cannot_be_renewed_even_by_its_holder(store: Store, clock: Clock) -> None:
    lease = store.claim(KEYS[0], "ann", seconds=60)
    clock.advance(60)
    with pytest.raises(LeaseLost):
        store.renew(lease)
    again = store.claim(KEYS[0], "ann", seconds=60)
    assert again.token != lease.token  # the old token proves nothing any more


def test_the_next_free_sample_is_claimed_once(store: Store) -> None:
    first, second = store.claim_next(SampleFilter(), "ann"), store.claim_next(SampleFilter(), "bob")
    assert first
    assert second
    assert [first.sample_id, second.sample_id] == KEYS
    assert store.claim_next(SampleFilter(), "cyd") is None
    store.release(first)
    third = store.claim_next(SampleFilter(), "cyd")
    assert third
    assert third.sample_id == KEYS[0]


def test_releasing_a_lost_lease_takes_nothing_from_its_new_holder(store: Store, clock: Clock) -> None:
    lease = store.claim(KEYS[0], "ann", seconds=60)
    clock.advance(61)
    store.claim(KEYS[0], "bob")
    store.release(lease)
    with pytest.raises(LeaseHeld, match="held by bob"):
        store.claim(KEYS[0], "ann")


def test_an_unknown_sample_cannot_be_claimed(store: Store) -> None:
    with pytest.raises(NotFound):
        store.claim("nowhere", "ann")
