"""A few people at work on a real server for some seconds; `benchmarks.team_load` is twenty for two minutes."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.team_load import database, judge, measure
from benchmarks.team_people import Held, Record, Saved
from tests.builders import filled_workspace
from whyseg.curation.queries import SampleFilter
from whyseg.schemas import Query


@pytest.mark.slow
def test_nothing_is_lost_claimed_twice_or_answered_with_an_error(tmp_path: Path) -> None:
    found = measure(tmp_path, "", people=6, seconds=8, pace=0.3, beat=0.5)
    assert (found["errors"], found["double_claims"], found["lost"]) == (0, 0, 0), found
    assert found["done"]["saves"] >= 7, found
    assert found["ms"]["heartbeat"]["n"] > 0, found


@pytest.mark.slow
@pytest.mark.postgres
def test_twenty_people_work_on_a_postgresql_server(tmp_path: Path) -> None:
    with database(on_postgres=True) as url:
        found = measure(tmp_path, url, people=20, seconds=30)
    assert (found["errors"], found["double_claims"], found["lost"]) == (0, 0, 0), found
    assert found["done"]["saves"] > 20


def test_two_people_with_one_sample_at_a_time_are_noticed() -> None:
    record = Record()
    record.holds = [Held("a", "ann", 0, 10), Held("a", "bob", 10, 20), Held("b", "bob", 5, 9), Held("a", "ann", 21, 22)]
    assert record.double_claims() == []
    record.holds.append(Held("a", "cyd", 9, 9.5))
    assert [{one.who, other.who} for one, other in record.double_claims()] == [{"ann", "cyd"}]


def test_a_save_that_is_not_kept_and_one_that_nobody_made_are_noticed(tmp_path: Path) -> None:
    with filled_workspace(tmp_path / "w") as workspace:
        key = workspace.store.page(SampleFilter()).samples[0].id
        record = Record()
        for number in (2, 3):
            head = workspace.store.head(key)
            changed = head.sample.model_copy(update={"query": Query(text=f"what is {number}?")})
            made = workspace.store.revise(
                key, changed, parent=head.revision.id, author="ann", edit=f"e{number}"
            ).revision
            record.saves.append(Saved(key, "ann", f"e{number}", made.id, number, made.content))
        assert judge(workspace, record) == []
        record.saves[1] = replace(record.saves[1], content="sha256:0")
        assert judge(workspace, record) == [f"sample {key}: save e3 is lost", f"sample {key}: nobody made edit e3"]
        record.submits.append((key, "ann", made.id))
        record.reviews.append((key, "rey", "r1"))
        assert {f"sample {key}: ann's submission is lost", f"sample {key}: rey's review is lost"} <= {
            *judge(workspace, record)
        }
