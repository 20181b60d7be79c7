from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from tests.builders import Clock, block, complete, image_record, instance, sample
from whyseg.curation import audit
from whyseg.curation.answers import Answers, who_knows
from whyseg.curation.history import history
from whyseg.curation.proposals import Proposals, propose, proposed_sample
from whyseg.curation.store import Store
from whyseg.curation.tables import AuditRow, RevisionRow
from whyseg.curation.users import Users
from whyseg.curation.visibility import Viewer
from whyseg.schemas import Finding, Head, Instance, Proposal, Query, RevisionReason, Role, union
from whyseg.schemas.errors import IllegalTransition, InvalidRecord, NotFound, StaleParent
from whyseg.schemas.revision import Reason, Review, State

AT = datetime(2025, 1, 1, tzinfo=UTC)  # before anything that the stores' clock says
BETTER = (instance(1, block(1, 1, 2, 4)),)  # one column wider than what `complete` holds


@pytest.fixture
def store(new_url: str) -> Iterator[Store]:
    made = Store(new_url, clock=Clock())
    for number in range(3):
        made.add_image(image_record(number), author="ann")
    yield made
    made.close()


@pytest.fixture
def head(store: Store) -> Head:
    return store.add_sample(complete(), author="ann")


def boundary(head: Head, instances: Sequence[Instance] = BETTER, score: float = 0.7) -> Proposal:
    says = "the edge lies elsewhere"
    keys = {"made_by": "tiny", "score": score, "at": AT}
    return propose(head.revision, RevisionReason.BOUNDARY, says, instances=instances, **keys)  # type: ignore[arg-type]


def rewrite(head: Head, text: str, score: float = 0.5) -> Proposal:
    asked = Query(text=text)
    keys = {"made_by": "template", "score": score, "at": AT}
    return propose(head.revision, RevisionReason.QUERY_REWRITE, "it names the cup", query=asked, **keys)  # type: ignore[arg-type]


def drop(head: Head) -> Proposal:
    return propose(head.revision, RevisionReason.DROP, "nothing is drawn", made_by="rules", score=1, at=AT)


def accepted(store: Store, head: Head) -> Head:
    store.submit(head.sample.id, parent=head.revision.id, author="ann")
    review = {"id": "r1", "sample_id": head.sample.id, "revision_id": head.revision.id, "created_at": AT}
    return store.review(Review.parse({**review, "reviewer": "rev", "decision": "accept"}))


def test_the_same_proposal_made_twice_is_one(store: Store, head: Head) -> None:
    proposals = Proposals(store)
    assert proposals.add([boundary(head), boundary(head, score=0.9), rewrite(head, "what holds it?")]) == 2
    assert proposals.add([boundary(head)]) == 0
    assert [one.score for one in proposals.of(head.sample.id)] == [0.9, 0.5]


def test_what_was_dismissed_does_not_come_back_with_some_other_pixels(store: Store, head: Head) -> None:
    # Of 48 pixels two are gone, an IoU of 0.96; then six, 0.875.
    all_but_two = union([block(0, 0, 6, 7), block(0, 7, 4, 1)], (6, 8))
    drawn, again, other = ((instance(1, mask),) for mask in (block(0, 0, 6, 8), all_but_two, block(0, 0, 6, 7)))
    proposals = Proposals(store)
    proposals.add([boundary(head, drawn)])
    proposals.dismiss(boundary(head, drawn).id, author="rev")
    assert proposals.add([boundary(head, again), boundary(head, other)]) == 1
    assert [one.instances for one in proposals.page().proposals] == [other]


def test_an_accepted_proposal_is_a_revision_that_is_handed_in(store: Store, head: Head) -> None:
    accepted(store, head)
    store.add_finding(
        Finding(id="f", kind="boundary", severity="info", message="m", sample_id=head.sample.id, created_at=AT)
    )
    store.add_finding(
        Finding(id="g", kind="leak", severity="info", message="m", sample_id=head.sample.id, created_at=AT)
    )
    proposals = Proposals(store)
    proposals.add([boundary(head)])
    made = proposals.accept(boundary(head).id, author="cur")
    assert (made.state, made.sample.instances, made.revision.number) == (State.SUBMITTED, BETTER, 2)
    assert made == store.head(head.sample.id)
    assert made.sample.query == head.sample.query
    decided = proposals.get(boundary(head).id)
    assert decided.decision is not None
    assert (decided.state, decided.decision.by, decided.decision.revision_id) == ("accepted", "cur", made.revision.id)
    assert [finding.id for finding in store.findings(head.sample.id)] == ["g"]
    told = [(one.action, one.reason) for one in history(store.database, head.sample.id)]
    why = "a proposal was accepted: the edge lies elsewhere"
    assert told[:4] == [("accept_proposal", "boundary"), ("submit", None), ("revise", None), ("reopen", why)]


def test_accepting_twice_is_answered_like_the_first_time(store: Store, head: Head) -> None:
    proposals = Proposals(store)
    proposals.add([boundary(head)])
    first = proposals.accept(boundary(head).id, author="cur")
    entries = len(store.audit_log())
    assert proposals.accept(boundary(head).id, author="eve") == first
    assert len(store.audit_log()) == entries
    assert proposals.get(boundary(head).id).decision.by == "cur"  # type: ignore[union-attr]


def test_two_people_who_accept_at_once_make_one_revision(store: Store, head: Head) -> None:
    proposals = Proposals(store)
    proposals.add([boundary(head)])
    with ThreadPoolExecutor(4) as pool:
        both = list(pool.map(lambda name: proposals.accept(boundary(head).id, author=name), "abcd"))
    assert {one.revision.id for one in both} == {store.head(head.sample.id).revision.id}
    assert len(store.revisions(head.sample.id)) == 2
    assert [entry.action for entry in store.audit_log()].count("accept_proposal") == 1


def test_of_two_proposals_about_a_sample_the_second_is_stale_once_one_is_accepted(store: Store, head: Head) -> None:
    proposals = Proposals(store)
    other = rewrite(head, "what holds it?")
    proposals.add([boundary(head), other])
    proposals.accept(boundary(head).id, author="cur")
    with pytest.raises(StaleParent):
        proposals.accept(other.id, author="cur")
    assert proposals.get(other.id).state == "stale"
    assert store.head(head.sample.id).sample.query == head.sample.query
    assert [one.id for one in proposals.page(state="stale").proposals] == [other.id]
    assert proposals.page().total == 0


def test_what_was_dismissed_does_not_come_back(store: Store, head: Head) -> None:
    proposals = Proposals(store)
    proposals.add([boundary(head)])
    key = boundary(head).id
    assert proposals.dismiss(key, author="cur").state == "dismissed"
    assert proposals.dismiss(key, author="eve").decision.by == "cur"  # type: ignore[union-attr]
    assert proposals.add([boundary(head)]) == 0
    assert proposals.page().total == 0
    assert proposals.page(state="dismissed").total == 1
    with pytest.raises(IllegalTransition, match="cur has dismissed it"):
        proposals.accept(key, author="eve")
    assert store.head(head.sample.id) == head
    assert history(store.database, head.sample.id)[0].action == "dismiss_proposal"


def test_what_was_accepted_is_not_dismissed(store: Store, head: Head) -> None:
    proposals = Proposals(store)
    proposals.add([boundary(head)])
    proposals.accept(boundary(head).id, author="cur")
    with pytest.raises(IllegalTransition, match="cur has accepted it"):
        proposals.dismiss(boundary(head).id, author="eve")


def test_a_dropped_sample_is_rejected_with_a_comment_whatever_its_state(store: Store) -> None:
    empty, full = (store.add_sample(one, author="ann") for one in (sample(1), complete(2)))
    accepted(store, full)
    proposals = Proposals(store)
    proposals.add([drop(empty), drop(full)])
    for head in (empty, full):
        made = proposals.accept(drop(head).id, author="cur")
        assert (made.state, made.revision) == (State.REJECTED, head.revision)
        review = store.reviews(head.sample.id)[0]
        assert (review.reasons, review.comments[0].text) == ((Reason.OTHER,), "Dropped: nothing is drawn")
        assert proposals.accept(drop(head).id, author="cur") == made
        assert history(store.database, head.sample.id)[1].comments == review.comments


def test_what_else_is_proposed_for_a_dropped_sample_is_dismissed(store: Store, head: Head) -> None:
    proposals = Proposals(store)
    proposals.add([drop(head), boundary(head), rewrite(head, "what holds it?")])
    proposals.accept(drop(head).id, author="cur")
    assert {one.reason.value: one.state for one in proposals.of(head.sample.id)} == {
        "drop": "accepted", "boundary": "dismissed", "query_rewrite": "dismissed",
    }  # fmt: skip
    assert proposals.page().total == 0


def test_a_sample_that_lacks_something_stays_a_draft(store: Store) -> None:
    bare = store.add_sample(sample(1, query="what holds it?", instances=[instance(1, block(1, 1, 2, 3))]), author="ann")
    proposals = Proposals(store)
    proposals.add([boundary(bare)])
    assert proposals.accept(boundary(bare).id, author="cur").state == State.DRAFT


def test_what_fails_half_way_leaves_nothing(store: Store, head: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    proposals = Proposals(store)
    proposals.add([boundary(head)])
    accepted(store, head)
    before = store.audit_log()
    append = audit.append

    def broken(*arguments: object, **detail: object) -> None:
        if arguments[3] == "accept_proposal":  # the last step: reopening, revising and handing in are done
            raise KeyboardInterrupt
        append(*arguments, **detail)  # type: ignore[arg-type]

    monkeypatch.setattr(audit, "append", broken)
    with pytest.raises(KeyboardInterrupt):
        proposals.accept(boundary(head).id, author="cur")
    monkeypatch.undo()
    assert store.audit_log() == before
    assert store.head(head.sample.id).state == State.ACCEPTED
    with store.database.read() as session:
        assert session.scalar(select(func.count()).select_from(RevisionRow)) == 1
    assert proposals.accept(boundary(head).id, author="cur").state == State.SUBMITTED


def test_a_page_is_sorted_and_counts_every_reason(store: Store, head: Head) -> None:
    proposals = Proposals(store)
    other = store.add_sample(complete(1), author="ann")
    proposals.add([rewrite(head, "a"), boundary(head), rewrite(other, "b", 0.9), boundary(other, score=0.1)])
    page = proposals.page(limit=2)
    assert ([one.score for one in page.proposals], page.total) == ([0.9, 0.7], 4)
    assert page.reasons == {"boundary": 2, "query_rewrite": 2}
    page = proposals.page(reason=RevisionReason.BOUNDARY, offset=1)
    assert ([one.score for one in page.proposals], page.total) == ([0.1], 2)
    assert page.reasons == {"boundary": 2, "query_rewrite": 2}
    assert [one.score for one in proposals.page(sample_id=head.sample.id).proposals] == [0.7, 0.5]
    proposals.dismiss(boundary(head).id, author="cur")
    assert [one.score for one in proposals.of(head.sample.id)] == [0.5, 0.7]  # open ones first


def test_a_blind_answer_is_nobodys_to_change_and_its_original_is_not_shown(store: Store, head: Head) -> None:
    users = Users(store.database)
    users.add("bob", Role.ANNOTATOR, "a long password", author="cur")
    answer = Answers(store).hand_out([head.sample.id], ["bob"], by="cur").answers[0]
    proposals = Proposals(store)
    theirs = drop(store.head(answer.sample_id))
    proposals.add([boundary(head), theirs])
    assert [one.id for one in proposals.page().proposals] == [boundary(head).id]
    assert [one.id for one in proposals.page(viewer=Viewer(name="bob")).proposals] == [theirs.id]
    with pytest.raises(IllegalTransition, match="its user's own"):
        proposals.accept(theirs.id, author="cur")
    proposals.dismiss(boundary(head).id, author="rev")
    with store.database.read() as session:
        assert who_knows(session, head.sample.id, AT)["rev"] == "has worked on it"


def test_a_proposal_that_does_not_fit_is_refused(store: Store, head: Head) -> None:
    proposals = Proposals(store)
    other = store.add_sample(complete(1), author="ann")
    with pytest.raises(NotFound, match="revision"):
        proposals.add([boundary(head).model_copy(update={"revision_id": other.revision.id})])
    with pytest.raises(InvalidRecord, match="size 5×5"):
        proposals.add([boundary(head, [instance(1, block(0, 0, 1, 1, (5, 5)))])])
    with pytest.raises(InvalidRecord, match="neither"):
        propose(head.revision, RevisionReason.BOUNDARY, "?", made_by="m", score=1, at=AT)
    for ask in (proposals.get, proposals.of):
        with pytest.raises(NotFound):
            ask("no such")
    with pytest.raises(NotFound):
        proposals.accept("no such", author="cur")


def test_instances_for_a_no_target_sample_give_it_a_target_and_none_take_it_away(head: Head) -> None:
    nothing = head.sample.model_copy(update={"instances": (), "no_target": True})
    assert not proposed_sample(nothing, boundary(head)).no_target
    assert proposed_sample(head.sample, boundary(head, ())).no_target
    assert proposed_sample(nothing, rewrite(head, "a")).no_target


def test_the_audit_log_names_proposal_and_reason(store: Store, head: Head) -> None:
    proposals = Proposals(store)
    proposals.add([boundary(head)])
    proposals.accept(boundary(head).id, author="cur")
    with store.database.read() as session:
        last = audit.entry_of(session.scalars(select(AuditRow).order_by(AuditRow.number.desc())).first())  # type: ignore[arg-type]
    assert (last.action, last.actor, last.subject) == ("accept_proposal", "cur", head.sample.id)
    assert (last.detail["proposal"], last.detail["reason"]) == (boundary(head).id, "boundary")
