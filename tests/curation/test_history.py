from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import block, complete, filled_workspace, instance
from whyseg.curation.history import Event, history
from whyseg.curation.queries import SampleFilter
from whyseg.curation.store import Store
from whyseg.curation.times import now
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Comment, Reason, Review, Sample
from whyseg.schemas.errors import NotFound


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with filled_workspace(tmp_path / "w") as made:
        yield made


@pytest.fixture
def store(workspace: Workspace) -> Store:
    return workspace.store


@pytest.fixture
def sample(store: Store) -> str:
    return store.page(SampleFilter()).samples[0].id


def change(store: Store, sample: str, who: str, **fields: object) -> None:
    head = store.head(sample)
    changed = Sample.parse({**head.sample.plain(), **fields})
    store.revise(sample, changed, parent=head.revision.id, author=who)


def decide(store: Store, sample: str, who: str, *reasons: Reason, text: str) -> None:
    head = store.head(sample)
    store.submit(sample, parent=head.revision.id, author="ann")
    review = Review(
        id=text, sample_id=sample, revision_id=head.revision.id, reviewer=who, reasons=reasons, created_at=now(),
        decision="reject" if reasons else "accept", comments=(Comment(text=text, pin=(1, 2)),),
    )  # fmt: skip
    store.review(review)


def filled(sample: str, store: Store) -> dict[str, object]:
    kept = ("id", "image_id", "source", "source_record", "size")
    full = complete().plain()
    return {name: value for name, value in full.items() if name not in kept}


def test_a_story_is_told_from_its_end_with_who_what_and_why(store: Store, sample: str) -> None:
    change(store, sample, "ann", **filled(sample, store))
    decide(store, sample, "rea", Reason.BOUNDARY, text="the rim")
    change(store, sample, "ann", query={"text": "what else?"})
    decide(store, sample, "cur", text="fine")
    store.reopen(sample, author="cur", reason="a better picture")
    found = history(store.database, sample)
    assert [(event.action, event.by, event.number) for event in found] == [
        ("reopen", "cur", None),
        ("accept", "cur", 3),
        ("submit", "ann", 3),
        ("revise", "ann", 3),
        ("reject", "rea", 2),
        ("submit", "ann", 2),
        ("revise", "ann", 2),
        ("add_sample", "ann", 1),
    ]
    assert found[0].reason == "a better picture"
    assert [comment.text for comment in (*found[1].comments, *found[4].comments)] == ["fine", "the rim"]
    assert (found[4].reasons, found[4].comments[0].pin) == ((Reason.BOUNDARY,), (1, 2))
    assert found[3].changes == ("question",)
    assert found[6].changes == ("question", "type", "hops", "depth", "instance 1 added")
    assert [event.entry for event in found] == sorted((event.entry for event in found), reverse=True)


def test_what_a_revision_changed_is_named(store: Store, sample: str) -> None:
    def changes(**fields: object) -> tuple[str, ...]:
        change(store, sample, "ann", **fields)
        return newest(store, sample).changes

    one, two = instance(1, block(0, 0, 2, 2), "cup"), instance(2, block(3, 3, 1, 1))
    assert changes(instances=[one, two]) == ("instance 1 added", "instance 2 added")
    moved = instance(1, block(0, 0, 2, 3), "mug")
    assert changes(instances=[moved]) == ("instance 2 removed", "instance 1: mask, label")
    prompted = moved.model_copy(update={"outline": (((0, 0), (0, 1), (1, 1)),)})
    assert changes(instances=[prompted]) == ("instance 1: outline",)
    assert changes(instances=[], no_target=True) == ("no target", "instance 1 removed")
    assert changes(query={"text": "a"}, ignore=block(1, 1, 1, 1)) == ("question", "ignore region")
    assert changes(query={"text": "a", "is_sentence": False, "alternates": ["b"]}) == ("paraphrases", "phrase")


def newest(store: Store, sample: str) -> Event:
    return history(store.database, sample)[0]


def test_two_reviews_of_one_revision_keep_their_own_reasons(store: Store, sample: str) -> None:
    change(store, sample, "ann", **filled(sample, store))
    decide(store, sample, "rea", Reason.OTHER, text="no")
    decide(store, sample, "cur", text="yes")  # handed in again as it was
    found = [event for event in history(store.database, sample) if event.comments]
    assert [(event.action, event.number, event.reasons, event.comments[0].text) for event in found] == [
        ("accept", 2, (), "yes"),
        ("reject", 2, (Reason.OTHER,), "no"),
    ]


def test_an_unknown_sample_has_no_story(store: Store) -> None:
    with pytest.raises(NotFound, match="no sample x"):
        history(store.database, "x")
