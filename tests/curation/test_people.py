"""What everybody did, worked out by hand from a story of two annotators and two reviewers."""

import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from tests.builders import Clock, complete, filled_workspace
from whyseg.curation.people import Person, Tally, Throughput
from whyseg.curation.queries import SampleFilter
from whyseg.curation.store import Store
from whyseg.curation.tables import AuditRow
from whyseg.curation.users import Users
from whyseg.schemas import Comment, Query, Reason, Review, Sample
from whyseg.schemas.user import Role

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
DAY = 24 * 3600


class Story:
    """A workspace of empty samples, and people who work on them at times that a test sets."""

    def __init__(self, path: Path) -> None:
        with filled_workspace(path, 3) as made:
            url = made.store.database.engine.url
        self.clock = Clock()  # midnight of 2026-01-01
        self.store = Store(url, clock=self.clock)
        self.samples = [one.id for one in self.store.page(SampleFilter()).samples]

    def saves(self, who: str, place: int, text: str) -> None:
        head = self.store.head(self.samples[place])
        full = complete()
        kept = {"id": head.sample.id, "image_id": head.sample.image_id, "query": Query(text=text)}
        sample = Sample.parse({**full.plain(), **kept})
        self.store.revise(sample.id, sample, parent=head.revision.id, author=who)

    def submits(self, who: str, place: int) -> None:
        head = self.store.head(self.samples[place])
        self.store.submit(head.sample.id, parent=head.revision.id, author=who)

    def decides(self, who: str, place: int, *reasons: Reason) -> None:
        head = self.store.head(self.samples[place])
        number = len(self.store.reviews(head.sample.id))
        self.store.review(
            Review(
                id=f"{place}-{number}",
                sample_id=head.sample.id,
                revision_id=head.revision.id,
                reviewer=who,
                decision="reject" if reasons else "accept",
                reasons=reasons,
                comments=(Comment(text='{"decision":"reject"}'),),
                created_at=self.clock(),
            )
        )


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = Story(tmp_path / "w")
    yield made
    made.store.close()


def told(story: Story) -> None:
    """Ann draws 0 and 1; ben submits 1 for her; both are rejected, 0 is accepted on the second day."""
    story.saves("ann", 0, "a")  # 0 s
    story.clock.advance(10)
    story.saves("ann", 0, "b")
    story.clock.advance(20)
    story.submits("ann", 0)  # 30 s after her first save
    story.saves("ann", 1, "a")
    story.clock.advance(5)
    story.submits("ben", 1)  # what ann drew
    story.clock.advance(60)
    story.decides("rea", 0, Reason.BOUNDARY, Reason.OTHER)  # 65 s after its submission
    story.decides("rea", 1, Reason.BOUNDARY)  # 60 s after
    story.clock.advance(DAY)
    story.saves("ann", 0, "c")
    story.clock.advance(50)
    story.submits("ann", 0)  # 50 s after the first save since it was judged
    story.clock.advance(7)
    story.decides("cur", 0)  # 7 s after


def by_name(throughput: Throughput, *days: date | None) -> dict[str, Person]:
    return {person.name: person for person in throughput.people(*days).people}


def test_a_decision_counts_for_whoever_submitted_what_was_judged(story: Story) -> None:
    told(story)
    found = by_name(Throughput(story.store.database))
    ann, ben, rea, cur = (found[name] for name in ("ann", "ben", "rea", "cur"))
    assert (ann.revisions, ann.submitted, ann.samples) == (4, 2, 1)
    assert (ann.accepted, ann.rejected, ann.rejection_rate) == (1, 1, 0.5)
    assert ann.reasons == {"boundary": 1, "other": 1}
    assert (ann.reviews, ann.decision_seconds) == (0, None)
    assert ann.work_seconds == 40  # the median of 30 and 50
    assert (ben.revisions, ben.submitted, ben.rejected, ben.rejection_rate) == (0, 1, 1, 1.0)
    assert (ben.reasons, ben.work_seconds) == ({"boundary": 1}, None)  # he saved nothing
    assert (rea.reviews, rea.decision_seconds, rea.rejection_rate) == (2, 62.5, None)  # the median of 65 and 60
    assert (cur.reviews, cur.decision_seconds) == (1, 7)
    assert ann.days == {
        "2026-01-01": Tally(revisions=3, submitted=1, rejected=1),
        "2026-01-02": Tally(revisions=1, submitted=1, accepted=1),
    }


def test_days_restrict_what_is_counted_and_both_ends_are_in(story: Story) -> None:
    told(story)
    throughput = Throughput(story.store.database)
    first, second = date(2026, 1, 1), date(2026, 1, 2)
    assert by_name(throughput, second).keys() == {"ann", "cur"}
    ann = by_name(throughput, second, second)["ann"]
    assert (ann.submitted, ann.accepted, ann.rejected, ann.work_seconds, ann.reasons) == (1, 1, 0, 50, {})
    ann = by_name(throughput, None, first)["ann"]
    assert (ann.submitted, ann.accepted, ann.rejected, ann.work_seconds) == (1, 0, 1, 30)
    assert by_name(throughput, first, second) == by_name(throughput)


def test_what_is_done_later_is_added_to_what_was_read(story: Story) -> None:
    throughput = Throughput(story.store.database)
    story.saves("ann", 0, "a")
    story.submits("ann", 0)
    assert by_name(throughput)["ann"].submitted == 1
    story.decides("rea", 0, Reason.BOUNDARY)
    assert by_name(throughput)["ann"].rejected == 1
    story.submits("ann", 0)  # once more, unchanged
    story.decides("rea", 0, Reason.OTHER)
    found = by_name(throughput)
    assert found == by_name(Throughput(story.store.database))
    assert (found["ann"].rejected, found["ann"].reasons) == (2, {"boundary": 1, "other": 1})


def test_several_may_ask_while_work_goes_on(story: Story) -> None:
    throughput, wrong = Throughput(story.store.database), []

    def ask() -> None:
        for _ in range(5):
            ann = by_name(throughput).get("ann")
            if ann and ann.submitted not in range(4):
                wrong.append(ann)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for place in range(3):
        story.saves("ann", place, "a")
        story.submits("ann", place)
    for thread in threads:
        thread.join()
    assert wrong == []
    assert by_name(throughput)["ann"].submitted == 3
    assert by_name(throughput) == by_name(Throughput(story.store.database))


def test_another_log_in_its_place_is_read_anew(story: Story) -> None:
    throughput = Throughput(story.store.database)
    story.saves("ann", 0, "a")
    assert by_name(throughput)["ann"].revisions == 1
    with story.store.database.write() as session:
        last = session.get_one(AuditRow, len(story.store.audit_log()))
        last.actor, last.hash = "ben", "sha256:another"
    assert by_name(throughput).keys() == {"ben"}


def test_users_who_did_nothing_are_there_and_those_who_are_gone_too(story: Story) -> None:
    users = Users(story.store.database, hasher=CHEAP)
    users.add("Zoe", Role.REVIEWER, "correct horse battery", author="root")
    users.set_disabled("Zoe", True, author="root")
    story.saves("ann", 0, "a")
    found = by_name(Throughput(story.store.database))
    assert list(found) == ["ann", "Zoe"]
    assert (found["Zoe"].role, found["Zoe"].disabled, found["Zoe"].days) == (Role.REVIEWER, True, {})
    assert (found["ann"].role, found["ann"].disabled) == (None, False)


def test_reading_that_breaks_off_counts_nothing_twice(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    told(story)
    throughput = Throughput(story.store.database)
    with monkeypatch.context() as broken:
        broken.setattr(Throughput, "_give_reasons", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            throughput.people()
    assert by_name(throughput) == by_name(Throughput(story.store.database))
