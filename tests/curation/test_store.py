from collections.abc import Iterator

import pytest

from tests.builders import SIZE, Clock, block, complete, image_record, instance, sample
from whyseg.curation.queries import SampleFilter
from whyseg.curation.store import Store
from whyseg.schemas import Head, Review, Sample, State, Suggestion
from whyseg.schemas.errors import IllegalTransition, Incomplete, InvalidRecord, NotFound, SizeMismatch, StaleParent


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(new_url: str, clock: Clock) -> Iterator[Store]:
    store = Store(new_url, clock=clock)
    yield store
    store.close()


@pytest.fixture
def head(store: Store) -> Head:
    store.add_image(image_record(), author="ann")
    return store.add_sample(sample(), author="ann")


def decide(head: Head, decision: str, number: int = 1) -> Review:
    reasons = ["boundary"] if decision == "reject" else []
    values = {"id": f"r{number}", "sample_id": head.sample.id, "revision_id": head.revision.id, "reviewer": "rey"}
    return Review.parse({**values, "decision": decision, "reasons": reasons, "created_at": "2026-01-01T00:00:00Z"})


def test_a_revision_follows_its_parent_and_history_stays(store: Store, head: Head) -> None:
    changed = sample(query="what holds the tea?")
    second = store.revise(head.sample.id, changed, parent=head.revision.id, author="bob")
    assert (second.revision.number, second.revision.parent, second.revision.author) == (2, head.revision.id, "bob")
    assert store.head(head.sample.id) == second
    assert store.revisions(head.sample.id) == [second.revision, head.revision]
    assert store.revision(head.revision.id) == head.revision


def test_a_stale_parent_is_refused_and_nothing_is_lost(store: Store, head: Head) -> None:
    second = store.revise(head.sample.id, sample(query="one"), parent=head.revision.id, author="ann")
    with pytest.raises(StaleParent) as caught:
        store.revise(head.sample.id, sample(query="two"), parent=head.revision.id, author="bob")
    assert (caught.value.expected, caught.value.got) == (second.revision.id, head.revision.id)
    assert store.head(head.sample.id) == second


def test_the_same_edit_again_is_recognised(store: Store, head: Head) -> None:
    key, parent = head.sample.id, head.revision.id
    once = store.revise(key, sample(query="one"), parent=parent, author="ann", edit="e1")
    assert store.revise(key, sample(query="one"), parent=parent, author="ann", edit="e1") == once
    later = store.revise(key, sample(query="two"), parent=once.revision.id, author="bob", edit="e2")
    assert store.revise(key, sample(query="one"), parent=parent, author="ann", edit="e1").revision == once.revision
    assert store.head(key) == later


def test_equal_content_makes_no_revision(store: Store, head: Head) -> None:
    assert store.revise(head.sample.id, sample(), parent=head.revision.id, author="bob") == head
    assert len(store.revisions(head.sample.id)) == 1


def test_a_change_cannot_turn_a_sample_into_another(store: Store, head: Head) -> None:
    store.add_image(image_record(1), author="ann")
    with pytest.raises(InvalidRecord, match="another sample"):
        store.revise(head.sample.id, sample(1), parent=head.revision.id, author="ann")
    grown = Sample.start(image_record().id, (9, 9), source="images", source_record="")
    with pytest.raises(InvalidRecord, match="another sample"):
        store.revise(head.sample.id, grown, parent=head.revision.id, author="ann")


def test_a_sample_needs_its_image_and_its_size(store: Store) -> None:
    with pytest.raises(NotFound, match="no image"):
        store.add_sample(sample(), author="ann")
    store.add_image(image_record(size=(6, 9)), author="ann")
    with pytest.raises(SizeMismatch, match=r"size 6×8.*not the image's 6×9"):
        store.add_sample(sample(), author="ann")
    assert store.stats().samples == 0


def test_adding_again_changes_nothing(store: Store, head: Head) -> None:
    assert not store.add_image(image_record(), author="bob")
    assert store.add_sample(sample(), author="bob") == head
    assert store.add_samples([image_record()], [sample()], author="bob") == 0
    assert len(store.audit_log()) == 2


def test_many_are_added_together_or_not_at_all(store: Store) -> None:
    with pytest.raises(NotFound):
        store.add_samples([image_record(0)], [sample(0), sample(1)], author="ann")
    assert (store.stats().images, store.stats().samples) == (0, 0)
    assert store.add_samples([image_record(0), image_record(1)], [sample(0), sample(1)], author="ann") == 2


def test_the_way_from_draft_to_accepted_and_back(store: Store, head: Head) -> None:
    key = head.sample.id
    with pytest.raises(Incomplete, match="question is missing"):
        store.submit(key, parent=head.revision.id, author="ann")
    with pytest.raises(IllegalTransition, match="is draft: cannot accept"):
        store.review(decide(head, "accept"))
    full = store.revise(key, complete(), parent=head.revision.id, author="ann")
    with pytest.raises(StaleParent):
        store.submit(key, parent=head.revision.id, author="ann")
    submitted = store.submit(key, parent=full.revision.id, author="ann")
    assert submitted.state is State.SUBMITTED
    assert store.submit(key, parent=full.revision.id, author="ann") == submitted
    assert store.review(decide(submitted, "reject")).state is State.REJECTED
    assert store.submit(key, parent=full.revision.id, author="ann").state is State.SUBMITTED
    assert store.review(decide(submitted, "accept", 2)).state is State.ACCEPTED
    with pytest.raises(IllegalTransition, match="is accepted: cannot change it"):
        store.revise(key, sample(), parent=full.revision.id, author="ann")
    with pytest.raises(IllegalTransition, match="cannot submit"):
        store.submit(key, parent=full.revision.id, author="ann")
    assert store.reopen(key, author="cyd", reason="the mask leaks").state is State.DRAFT
    with pytest.raises(IllegalTransition, match="cannot reopen"):
        store.reopen(key, author="cyd", reason="again")
    actions = [entry.action for entry in store.audit_log(subject=key)]
    assert actions == ["add_sample", "revise", "submit", "reject", "submit", "accept", "reopen"]
    assert [review.decision for review in store.reviews(key)] == ["reject", "accept"]


def test_changing_a_submitted_sample_makes_it_a_draft(store: Store, head: Head) -> None:
    full = store.revise(head.sample.id, complete(), parent=head.revision.id, author="ann")
    store.submit(head.sample.id, parent=full.revision.id, author="ann")
    edited = store.revise(head.sample.id, complete(query="which?"), parent=full.revision.id, author="ann")
    assert edited.state is State.DRAFT


def test_a_review_of_an_older_revision_is_stale(store: Store, head: Head) -> None:
    full = store.revise(head.sample.id, complete(), parent=head.revision.id, author="ann")
    store.submit(head.sample.id, parent=full.revision.id, author="ann")
    with pytest.raises(StaleParent):
        store.review(decide(head, "accept"))


def test_filters_pages_and_places(store: Store, clock: Clock) -> None:
    for number in range(5):
        store.add_image(image_record(number), author="ann")
        clock.advance(1)
        store.add_sample(sample(number), author="ann")
    keys = [sample(number).id for number in range(5)]
    clock.advance(1)
    parent = store.head(keys[2]).revision.id
    full = store.revise(keys[2], complete(2, query="Which cup is 100% full?"), parent=parent, author="ann")
    store.submit(keys[2], parent=full.revision.id, author="ann")

    def ids(**wanted: object) -> list[str]:
        return [row.id for row in store.page(SampleFilter.parse(wanted)).samples]

    assert ids() == keys
    assert ids(state="submitted") == ids(depth=1) == ids(reasoning_type="function_purpose") == [keys[2]]
    assert ids(text="CUP") == ids(text="100%") == ids(text="2.png") == [keys[2]]
    assert ids(text="_") == []  # no wildcard
    assert ids(state="draft") == [*keys[:2], *keys[3:]]
    page = store.page(SampleFilter(), order="updated", offset=0, limit=2)
    assert (page.total, [row.id for row in page.samples]) == (5, [keys[2], keys[4]])
    place = store.place(keys[2])
    assert (place.previous, place.next, place.position, place.total) == (keys[1], keys[3], 3, 5)
    assert (store.place(keys[0]).previous, store.place(keys[4]).next) == (None, None)
    with pytest.raises(NotFound, match="no sample nowhere"):
        store.place("nowhere")


def test_statistics_count_states_types_and_depths(store: Store, head: Head) -> None:
    counted = store.stats()
    assert (counted.images, counted.samples, counted.revisions, counted.instances) == (1, 1, 1, 0)
    assert counted.matrix == {"none": {"none": 1}}
    full = complete()
    two = full.model_copy(update={"instances": (*full.instances, instance(2, block(3, 3, 1, 1)))})
    store.revise(head.sample.id, two, parent=head.revision.id, author="ann")
    counted = store.stats()
    assert (counted.revisions, counted.instances, counted.states["draft"]) == (2, 2, 1)
    assert counted.matrix == {"function_purpose": {"1": 1}}


def test_suggestions_stay_beside_what_people_make_of_them(store: Store, head: Head) -> None:
    values = {"id": "g1", "sample_id": head.sample.id, "kind": "query", "value": {"text": "?"}, "model": "template"}
    suggestion = Suggestion.parse({**values, "created_at": "2026-01-01T00:00:00Z"})
    store.add_suggestion(suggestion)
    store.revise(head.sample.id, sample(query="edited"), parent=head.revision.id, author="ann")
    assert store.suggestions(head.sample.id) == [suggestion]


def test_the_store_keeps_the_size_of_an_image_upright(store: Store) -> None:
    store.add_image(image_record(), author="ann")
    assert store.image(image_record().id).size == SIZE
    with pytest.raises(NotFound, match="no image"):
        store.image("0")


def test_the_name_of_an_edit_belongs_to_one_change(store: Store, head: Head) -> None:
    key, parent = head.sample.id, head.revision.id
    store.revise(key, sample(query="one"), parent=parent, author="ann", edit="e1")
    with pytest.raises(InvalidRecord, match="another change"):
        store.revise(key, sample(query="two"), parent=parent, author="ann", edit="e1")
    with pytest.raises(InvalidRecord, match="another author"):
        store.revise(key, sample(query="one"), parent=parent, author="bob", edit="e1")


def test_text_is_found_in_any_case_of_any_alphabet(store: Store, head: Head) -> None:
    store.revise(head.sample.id, sample(query="Où est la CAFETIÈRE? СТОЛ"), parent=head.revision.id, author="ann")
    for text in ("cafetière", "стол", "OÙ"):
        assert store.page(SampleFilter(text=text)).total == 1


def test_a_suggestion_for_nothing_is_refused(store: Store) -> None:
    values = {"id": "g1", "sample_id": "nowhere", "kind": "query", "value": {}, "model": "template"}
    with pytest.raises(InvalidRecord, match="refers to nothing"):
        store.add_suggestion(Suggestion.parse({**values, "created_at": "2026-01-01T00:00:00Z"}))
