"""Blind answers, assignments and gold items, as the store has them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from threading import Barrier

import pytest
from sqlalchemy import text

from tests.builders import Clock, block, complete, image_record, instance, sample
from tests.ui.team import CHEAP, PASSWORD
from whyseg.curation.answers import Answers
from whyseg.curation.assignments import Assignments
from whyseg.curation.golds import Golds
from whyseg.curation.next_work import next_work
from whyseg.curation.queries import SampleFilter
from whyseg.curation.store import Store
from whyseg.curation.users import Users
from whyseg.curation.verify import verify
from whyseg.curation.visibility import Viewer
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Answer, Review, Role, Sample, State
from whyseg.schemas.errors import IllegalTransition, InvalidRecord, NotFound, StaleParent

PEOPLE = ("ann", "ben", "cat", "dan")
BEN = Viewer(name="ben")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(new_url: str, clock: Clock) -> Iterator[Store]:
    """A store with three images, an annotated sample of each, and four people."""
    with closing(Store(new_url, clock=clock)) as made:
        fill(made)
        yield made


def fill(store: Store) -> None:
    users = Users(store.database, hasher=CHEAP)
    for name in PEOPLE:
        users.add(name, Role.ANNOTATOR, PASSWORD, author="root")
    store.add_samples([image_record(n) for n in range(3)], [complete(n) for n in range(3)], author="importer")


def accept(store: Store, key: str) -> None:
    head = store.head(key)
    store.submit(key, parent=head.revision.id, author="ann")
    store.review(
        Review(
            id=f"review {key} {head.revision.number}", sample_id=key, revision_id=head.revision.id, reviewer="rea",
            decision="accept", created_at=store.clock(),
        )
    )  # fmt: skip


def fill_in(store: Store, answer: Answer, left: int = 1) -> str:
    """Answer with a block of 2×3 pixels from a column on, and hand it in; the revision."""
    head = store.head(answer.sample_id)
    fields = {"reasoning_type": "commonsense", "hops": ["drinks are in cups"], "depth": 1}
    drawn = Sample.parse({**head.sample.plain(), **fields, "instances": [instance(1, block(1, left, 2, 3)).plain()]})
    made = store.revise(answer.sample_id, drawn, parent=head.revision.id, author=answer.user)
    store.submit(answer.sample_id, parent=made.revision.id, author=answer.user)
    return made.revision.id


def ids(store: Store, viewer: Viewer | None, **wanted: str) -> list[str]:
    page = store.page(SampleFilter(viewer=viewer, **wanted))  # type: ignore[arg-type]
    assert page.total == len(page.samples)
    return [one.id for one in page.samples]


def test_an_answer_begins_with_the_picture_and_the_question_alone(store: Store) -> None:
    original = complete(0)
    (answer,) = Answers(store).hand_out([original.id], ["ben"], by="cur").answers
    head = store.head(answer.sample_id)
    assert head.sample == Sample.start(
        original.image_id, original.size, source="annotation", source_record=head.sample.source_record,
        query=original.query,
    )  # fmt: skip
    assert (head.state, answer.original_revision) == (State.DRAFT, store.head(original.id).revision.id)
    # Author and time are those of the original's first revision; the log has who handed it out.
    first = store.revisions(original.id)[-1]
    assert (head.revision.author, head.revision.created_at) == (first.author, first.created_at)
    assert [(one.actor, one.action) for one in store.audit_log(subject=answer.sample_id)] == [
        ("cur", "add_sample"), ("cur", "hand_out"), ("cur", "assign"),
    ]  # fmt: skip


def test_an_answer_is_seen_by_its_user_alone_and_hides_its_original_while_it_is_open(store: Store) -> None:
    first, second, third = (complete(n).id for n in range(3))
    (answer,) = Answers(store).hand_out([first], ["ben"], by="cur").answers
    assert ids(store, BEN) == [second, third, answer.sample_id]
    assert ids(store, Viewer(name="cat")) == ids(store, None) == [first, second, third]
    assert (store.stats().samples, store.stats().revisions) == (3, 3)
    fill_in(store, answer)
    assert ids(store, BEN) == [first, second, third, answer.sample_id]
    # Whoever decides on samples has no answer of their own in the queue.
    assert ids(store, Viewer(name="ben", decides=True)) == [first, second, third]
    assert ids(store, Viewer(name="cat")) == ids(store, None) == [first, second, third]


def test_an_open_answer_stands_where_its_original_does(store: Store) -> None:
    keys = [complete(n).id for n in range(3)]
    before = [store.place(key) for key in keys]
    (answer,) = Answers(store).hand_out([keys[1]], ["ben"], by="cur").answers
    other = Answers(store).hand_out([keys[0]], ["cat"], by="cur").answers[0]
    assert store.place(answer.sample_id, BEN) == before[1]
    around = [store.place(key, BEN) for key in (keys[0], keys[2])]
    assert [(one.previous, one.next, one.position, one.total) for one in around] == [
        (None, answer.sample_id, 1, 3), (answer.sample_id, None, 3, 3),
    ]  # fmt: skip
    assert [store.place(key) for key in keys] == before
    fill_in(store, answer)
    assert store.place(answer.sample_id, BEN).model_dump() == {
        "previous": keys[2], "next": None, "position": 4, "total": 4,
    }  # fmt: skip
    assert store.place(other.sample_id, Viewer(name="cat")).position == 1


def test_who_knows_a_sample_is_not_asked_about_it(store: Store) -> None:
    key = complete(0).id
    head = store.head(key)
    store.submit(key, parent=head.revision.id, author="ann")
    store.claim(key, "cat")
    Assignments(store).assign([key], "dan", by="cur")
    answers = Answers(store)
    assert [one.user for one in answers.hand_out([key], ["ben", "BEN"], by="cur").answers] == ["ben"]
    again = answers.hand_out([key], PEOPLE, by="cur")
    assert again.answers == ()
    assert {one.user: one.reason for one in again.skipped} == {
        "ann": "has worked on it", "ben": "was given it before", "cat": "is at it now", "dan": "is to work on it",
    }  # fmt: skip


def test_what_cannot_be_answered_is_said(store: Store) -> None:
    bare = sample(0).model_copy(update={"id": ""})
    bare = Sample.start(bare.image_id, bare.size, source="images", source_record="bare")
    store.add_sample(bare, author="importer")
    answers = Answers(store)
    given = answers.hand_out([bare.id], ["ben"], by="cur")
    assert [(one.user, one.reason) for one in given.skipped] == [(None, "it has no question")]
    (answer,) = answers.hand_out([complete(0).id], ["ben"], by="cur").answers
    for wanted, kind in ((answer.sample_id, "overlap"), (complete(1).id, "gold")):
        with pytest.raises(InvalidRecord):
            answers.hand_out([complete(2).id, wanted], ["cat"], by="cur", kind=kind)  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="no user eve"):
        answers.hand_out([complete(2).id], ["eve"], by="cur")
    Users(store.database, hasher=CHEAP).set_disabled("dan", True, author="root")
    with pytest.raises(InvalidRecord, match="dan is disabled"):
        answers.hand_out([complete(2).id], ["dan"], by="cur")
    assert answers.of(complete(2).id) == []  # of what was refused nothing is left


def test_those_with_the_least_to_do_are_chosen(store: Store) -> None:
    Assignments(store).assign([complete(0).id], "ann", by="cur")
    keys = [complete(1).id, complete(2).id]
    given = Answers(store, Random(1)).hand_out(keys, ["ann", "ben", "cat"], by="cur", each=2)
    # ann has one sample to do: the first goes to ben and cat, then all have one, and the second to two of the three.
    assert {one.user for one in given.answers[:2]} == {"ben", "cat"}
    assert len(given.answers) == 4
    assert given.skipped == ()


def test_a_submitted_answer_stays_as_it_is(store: Store) -> None:
    (answer,) = Answers(store).hand_out([complete(0).id], ["ben"], by="cur").answers
    revision = fill_in(store, answer)
    head = store.head(answer.sample_id)
    assert store.revise(answer.sample_id, head.sample, parent=revision, author="ben") == head  # nothing is changed
    with pytest.raises(IllegalTransition, match="cannot change it"):
        store.revise(answer.sample_id, head.sample.model_copy(update={"hops": ()}), parent=revision, author="ben")
    for decision in ("accept", "reject"):
        with pytest.raises(IllegalTransition, match="compared, not reviewed"):
            store.review(
                Review.parse(
                    {
                        "id": decision, "sample_id": answer.sample_id, "revision_id": revision, "reviewer": "rea",
                        "decision": decision, "reasons": ["other"] * (decision == "reject"),
                        "created_at": store.clock(),
                    }
                )
            )  # fmt: skip
    assert store.head(answer.sample_id) == head


def test_an_answer_is_adopted_as_a_revision_of_its_original(store: Store) -> None:
    key = complete(0).id
    before = store.head(key)
    answers = Answers(store)
    (answer,) = answers.hand_out([key], ["ben"], by="cur").answers
    adopting = {"original_id": key, "parent": before.revision.id, "author": "cur"}
    with pytest.raises(IllegalTransition, match="handed in"):
        answers.adopt(answer.sample_id, **adopting)
    revision = fill_in(store, answer, left=4)
    after = answers.adopt(answer.sample_id, **adopting)
    assert after.sample.instances[0].mask == block(1, 4, 2, 3)
    assert (after.sample.id, after.sample.source, after.sample.query) == (key, "images", before.sample.query)
    assert (after.revision.author, after.revision.parent, after.state) == ("cur", before.revision.id, State.DRAFT)
    assert after.revision.edit == f"adopt:{revision}:{before.revision.id}"
    assert answers.adopt(answer.sample_id, **adopting) == after
    with pytest.raises(StaleParent):  # another curator, a moment later
        answers.adopt(answer.sample_id, **{**adopting, "author": "dot"})
    logged = [one for one in store.audit_log(subject=key) if one.action == "adopt"]
    assert [one.detail["sample"] for one in logged] == [answer.sample_id]
    with pytest.raises(StaleParent):
        answers.adopt(answer.sample_id, original_id=key, parent="sha256:other", author="cur")
    with pytest.raises(NotFound):
        answers.adopt(answer.sample_id, original_id=complete(1).id, parent="", author="cur")
    with pytest.raises(NotFound):
        answers.adopt(key, original_id=key, parent="", author="cur")


def test_next_offers_what_is_mine_then_what_is_nobodys(store: Store, clock: Clock) -> None:
    first, second, third = (complete(n).id for n in range(3))
    Assignments(store).assign([third], "ben", by="cur")
    Assignments(store).assign([second], "cat", by="cur")

    def offered(name: str, after: str | None = None) -> str | None:
        lease = next_work(store, Viewer(name=name), after=after, gold_every=0)
        clock.advance(100)  # so that it is free again
        return lease.sample_id if lease else None

    assert offered("ben") == third
    assert offered("ben", third) == first
    assert offered("dan", first) is None  # what is left is somebody else's
    (answer,) = Answers(store).hand_out([first], ["ben"], by="cur").answers
    assert offered("ben", third) == answer.sample_id
    Assignments(store).assign([third], None, by="cur")
    assert offered("dan", first) == third
    assert Assignments(store).of([first, second, third]) == {second: "cat"}
    assert Assignments(store).page("ben")[0] == 1
    with pytest.raises(InvalidRecord, match="blind answer"):
        Assignments(store).assign([answer.sample_id], "cat", by="cur")


def test_every_so_many_submissions_next_is_a_gold_item(store: Store, clock: Clock) -> None:
    accept(store, complete(0).id)
    Golds(store).mark([complete(0).id], by="cur")

    def offered(name: str) -> str | None:
        lease = next_work(store, Viewer(name=name), after=None, gold_every=2)
        clock.advance(100)
        return lease.sample_id if lease else None

    for key in (complete(1).id, complete(2).id):
        assert offered("ben") == key
        store.submit(key, parent=store.head(key).revision.id, author="ben")
    drawn = offered("ben")
    assert drawn
    answer = Answers(store).get(drawn)
    assert (answer.original_id, answer.user, answer.kind, answer.by) == (complete(0).id, "ben", "gold", "whyseg")
    assert Assignments(store).of([drawn]) == {drawn: "ben"}  # as those that a curator hands out
    assert offered("ben") == drawn  # while it is open there is no other
    fill_in(store, answer)
    assert offered("ben") is None  # and there is none that ben has not had
    assert next_work(store, Viewer(name="ann"), after=None, gold_every=0) is None


def test_only_accepted_samples_are_gold_in_the_revision_that_was_accepted(store: Store) -> None:
    key, golds = complete(0).id, Golds(store)
    with pytest.raises(IllegalTransition, match="only accepted"):
        golds.mark([key], by="cur")
    accept(store, key)
    revision = store.head(key).revision.id
    assert (golds.mark([key, key], by="cur"), golds.mark([key], by="cur")) == (1, 0)
    store.reopen(key, author="rea", reason="a second cup")
    changed = store.head(key).sample.model_copy(update={"instances": (instance(1, block(0, 0, 1, 1)),)})
    store.revise(key, changed, parent=revision, author="dan")
    (answer,) = Answers(store).hand_out([key], ["ben"], by="cur", kind="gold").answers
    assert answer.original_revision == revision
    total, (gold,) = golds.page()
    assert (total, gold.sample_id, gold.revision_id, gold.by) == (1, key, revision, "cur")
    golds.unmark(key, by="cur")
    with pytest.raises(NotFound):
        golds.unmark(key, by="cur")
    assert golds.page() == (0, [])


def test_an_answer_is_in_no_count(store: Store, tmp_path: Path) -> None:
    before = store.stats()
    (answer,) = Answers(store).hand_out([complete(0).id], ["ben"], by="cur").answers
    fill_in(store, answer)
    assert store.stats() == before


def test_two_curators_at_once_hand_a_sample_to_nobody_twice(store: Store) -> None:
    keys = [complete(n).id for n in range(3)]
    start = Barrier(4)

    def hand_out(_: int) -> int:
        start.wait()
        return len(Answers(store).hand_out(keys, PEOPLE, by="cur").answers)

    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(hand_out, range(4)))
    assert sum(given) == 12  # three samples to four people
    assert [len(Answers(store).of(key)) for key in keys] == [4, 4, 4]


def test_samples_are_dealt_to_whoever_has_the_least_to_do(store: Store) -> None:
    assignments, keys = Assignments(store), [complete(n).id for n in range(3)]
    assignments.assign(keys[:1], "ann", by="cur")
    assert assignments.deal(keys[1:], ["ann", "ben"], by="cur") == 2
    # ben has nothing to do, then as much as ann, who comes first.
    assert assignments.of(keys) == {keys[0]: "ann", keys[1]: "ben", keys[2]: "ann"}
    assert assignments.load() == {"ann": 2, "ben": 1}


CHANGES = {
    "UPDATE answers SET \"user\" = 'cat'": "blind answer",
    "UPDATE answers SET kind = 'odd'": "cannot be read",
    "DELETE FROM answers": "is in the audit log, but gone",
    "UPDATE answers SET original_id = (SELECT sample_id FROM golds)": "is none of sample",
    "UPDATE assignments SET \"user\" = 'cat'": "is cat, but the audit log says ben",
    "DELETE FROM assignments": "is none, but the audit log says ben",
    "DELETE FROM golds": "the gold item of sample",
}


@pytest.mark.parametrize("change", CHANGES)
def test_verify_finds_what_was_changed_behind_the_stores_back(tmp_path: Path, change: str) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        store = workspace.store
        fill(store)
        accept(store, complete(1).id)
        Golds(store).mark([complete(1).id, complete(1).id], by="cur")
        (answer,) = Answers(store).hand_out([complete(0).id], ["ben"], by="cur").answers
        fill_in(store, answer)
        Answers(store).adopt(
            answer.sample_id, original_id=complete(0).id, parent=store.head(complete(0).id).revision.id, author="cur"
        )
        pictures = {f"image {image_record(n).id}" for n in range(3)}  # made up, without files
        assert {problem.what for problem in verify(workspace)} == pictures
        with store.database.write() as session:
            session.execute(text(change))
        told = [f"{problem.what} {problem.message}" for problem in verify(workspace) if problem.what not in pictures]
        assert any(CHANGES[change] in one for one in told), told
