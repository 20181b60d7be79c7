"""Answers compared: with each other, over all items, and with gold."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.builders import Clock, complete, image_record
from tests.curation.test_answers import accept, fill, fill_in
from whyseg.curation.answers import Answers
from whyseg.curation.golds import Golds
from whyseg.curation.overlaps import Overlaps
from whyseg.curation.store import Store
from whyseg.schemas import Answer, Query, Sample
from whyseg.schemas.errors import InvalidRecord, NotFound


@pytest.fixture
def store(new_url: str) -> Iterator[Store]:
    with closing(Store(new_url, clock=Clock())) as made:
        fill(made)
        yield made


def hand_out(store: Store, key: str, *users: str) -> list[Answer]:
    return list(Answers(store).hand_out([key], users, by="cur").answers)


def test_the_answers_to_one_sample_are_compared_with_each_other_and_the_original(store: Store) -> None:
    key = complete(0).id
    ben, cat, dan = hand_out(store, key, "ben", "cat", "dan")
    fill_in(store, ben, left=2)
    fill_in(store, cat, left=4)
    # Blocks of 2×3 pixels from columns 1 (the original), 2 and 4: the first two share 4 of 8 pixels, the last two 2
    # of 10, first and last none. None has an interior, so their boundaries are themselves.
    found = Overlaps(store).get(key)
    assert found.masks.people == ("importer (original)", "ben", "cat")
    assert found.masks.iou == ((1, 0.5, 0), (0.5, 1, 0.2), (0, 0.2, 1))
    assert found.masks.boundary_iou == found.masks.iou
    assert found.masks.mean_iou == pytest.approx(0.7 / 3)
    told = [(one.user, one.kind, one.reasoning_type, one.depth, one.revision_id is None) for one in found.answers]
    assert told == [
        ("importer", None, "function_purpose", 1, False), ("ben", "overlap", "commonsense", 1, False),
        ("cat", "overlap", "commonsense", 1, False), ("dan", "overlap", None, None, True),
    ]  # fmt: skip
    with pytest.raises(InvalidRecord):
        Overlaps(store).get(dan.sample_id)
    with pytest.raises(NotFound):
        Overlaps(store).get("nothing")
    assert Overlaps(store).get(complete(1).id).answers == ()


def test_the_report_is_about_all_items_that_two_have_answered(store: Store) -> None:
    for number, (left, other) in enumerate(((2, 4), (1, 1), (1, 1))):
        ben, cat = hand_out(store, complete(number).id, "ben", "cat")
        fill_in(store, ben, left=left)
        if number < 2:
            fill_in(store, cat, left=other)
    overlaps = Overlaps(store)
    report = overlaps.report()
    # Three items of three, three and two answers: 3 + 3 + 1 pairs. Their means are 0.7/3, 1 and 1.
    assert (report.items, report.pairs, report.open, report.reworded) == (3, 7, 1, 0)
    assert report.iou.value == pytest.approx((0.7 / 3 + 1 + 1) / 3)
    assert report.iou.count == 3
    assert report.iou.low is not None
    assert report.boundary_iou.value == pytest.approx(report.iou.value)
    assert [(one.people, one.iou.count) for one in report.people] == [
        (("ben", "cat"), 2), (("ben", "importer (original)"), 3), (("cat", "importer (original)"), 2),
    ]  # fmt: skip
    # (0.2 + 1) / 2, (0.5 + 1 + 1) / 3, (0 + 1) / 2
    assert [one.iou.value for one in report.people] == pytest.approx([0.6, 2.5 / 3, 0.5])
    # Type: per item the coincidences are F, C, C twice and F, C once. n = 8 values, 3 F and 5 C; unequal ordered pairs
    # are worth 2/2·2 = 2, 2 and 2 of 8: alpha = 1 - (8 - 1) · 6 / (2 · 3 · 5) = -0.4.
    assert report.type_alpha.value == pytest.approx(-0.4)
    assert (report.depth_alpha.value, report.depth_alpha.count) == (None, 3)
    assert report.depth_alpha.reason
    assert report.gold == ()
    total, worst = overlaps.page(order="worst", limit=2)
    assert (total, [one.sample_id for one in worst]) == (3, [complete(0).id, complete(1).id])
    assert overlaps.page(offset=2)[1][0].sample_id == complete(2).id
    assert overlaps.count() == 3


def test_what_is_adopted_later_is_no_agreement(store: Store) -> None:
    key = complete(0).id
    (ben,) = hand_out(store, key, "ben")
    fill_in(store, ben, left=4)
    before = Overlaps(store).report()
    Answers(store).adopt(ben.sample_id, original_id=key, parent=store.head(key).revision.id, author="cur")
    after = Overlaps(store).report()
    assert after == before
    assert (after.iou.value, after.items) == (0, 1)


def test_a_bare_original_is_nobodys_answer(store: Store) -> None:
    bare = Sample.start(image_record(0).id, (6, 8), source="images", source_record="b", query=Query(text="what is it?"))
    store.add_sample(bare, author="importer")
    ben, cat = hand_out(store, bare.id, "ben", "cat")
    fill_in(store, ben, left=1)
    assert Overlaps(store).report().items == 0
    fill_in(store, cat, left=2)
    assert Overlaps(store).get(bare.id).masks.people == ("ben", "cat")
    assert Overlaps(store).report().iou.value == 0.5


def test_a_reworded_answer_is_in_no_figure(store: Store) -> None:
    ben, cat = hand_out(store, complete(0).id, "ben", "cat")
    head = store.head(ben.sample_id)
    other = head.sample.model_copy(update={"query": Query(text="what else?")})
    store.revise(ben.sample_id, other, parent=head.revision.id, author="ben")
    fill_in(store, ben)
    fill_in(store, cat)
    report = Overlaps(store).report()
    assert (report.items, report.pairs, report.reworded) == (1, 1, 1)
    assert Overlaps(store).get(complete(0).id).masks.people == ("importer (original)", "cat")


def test_gold_is_measured_in_the_revision_that_was_gold(store: Store) -> None:
    keys = [complete(n).id for n in range(2)]
    for key in keys:
        accept(store, key)
    Golds(store).mark(keys, by="cur")
    given = Answers(store).hand_out(keys, ["ben"], by="cur", kind="gold").answers
    fill_in(store, given[0], left=2)  # IoU 0.5, as above
    fill_in(store, given[1], left=1)  # the same block
    (score,) = Overlaps(store).report().gold
    assert (score.user, score.count, score.iou.value, score.boundary_iou.value) == ("ben", 2, 0.75, 0.75)
    assert (score.right_type, score.right_depth) == (0, 1)  # commonsense for function_purpose; depth 1 for 1
    assert Overlaps(store).report().items == 0  # gold is no overlap
