import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frozen import accept, add, revised, splits
from whyseg.curation import releases as module
from whyseg.curation.release_checks import verify_release
from whyseg.curation.releases import Releases
from whyseg.curation.splits import assign_splits
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Settings, Workspace
from whyseg.schemas import release_hash
from whyseg.schemas.errors import CorruptStore, NotFound, UsageError


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "w") as made:
        yield made


def test_only_accepted_samples_are_frozen_unless_any_is_said(workspace: Workspace) -> None:
    first, _ = add(workspace, 0), add(workspace, 1)
    accept(workspace, first)
    made = Releases(workspace).create("v1", author="ann")
    assert (made.samples, made.images, made.states, sum(made.splits.values())) == (1, 1, "accepted", 1)
    (item,) = Releases(workspace).items("v1")
    assert (item.sample_id, item.content) == (first.id, first.content_hash())
    assert Releases(workspace).create("all", author="ann", states="any").samples == 2
    assert [release.name for release in Releases(workspace).all()] == ["v1", "all"]
    assert workspace.store.stats().releases == 2


def test_a_release_keeps_what_it_froze_when_the_sample_goes_on(workspace: Workspace) -> None:
    sample = add(workspace, 0)
    releases = Releases(workspace)
    before = releases.create("v1", author="ann", states="any")
    revised(workspace, sample, "another question?")
    after = releases.create("v2", author="ann", states="any")
    assert before.hash != after.hash
    (frozen,) = releases.revisions(releases.items("v1"))
    assert frozen.sample == sample
    assert releases.get("v1") == before


@pytest.mark.parametrize("name", ["", "a b", "../x", ".hidden", "x" * 65, "é", "a/b", "v1\n"])
def test_a_name_that_no_release_can_have_is_refused(workspace: Workspace, name: str) -> None:
    add(workspace, 0)
    with pytest.raises(UsageError, match="a release's name is"):
        Releases(workspace).create(name, author="ann", states="any")
    assert Releases(workspace).all() == []


def test_a_name_is_given_once_and_nothing_is_no_release(workspace: Workspace) -> None:
    releases = Releases(workspace)
    with pytest.raises(UsageError, match="nothing to freeze: no sample is there"):
        releases.create("v1", author="ann", states="any")
    add(workspace, 0)
    with pytest.raises(UsageError, match="nothing to freeze: no sample is accepted"):
        releases.create("v1", author="ann")
    releases.create("v1", author="ann", states="any")
    with pytest.raises(UsageError, match="release v1 exists already"):
        releases.create("v1", author="bob", states="any")
    with pytest.raises(UsageError, match="release v1 exists already"):
        releases.add(releases.get("v1"), releases.items("v1"))
    with pytest.raises(NotFound, match="no release v2"):
        releases.items("v2")


def test_the_same_content_has_the_same_hash_whoever_filled_it_in_whatever_order(tmp_path: Path) -> None:
    hashes = []
    for folder, author, numbers in (("a", "ann", range(12)), ("b", "bob", reversed(range(12)))):
        with Workspace.create(tmp_path / folder) as workspace:
            for number in numbers:
                sample = add(workspace, number, author=author)
                if folder == "b":
                    revised(workspace, sample, "a detour?")
                    revised(workspace, sample, f"what is {number}?")
                    accept(workspace, sample, reviewer=author)
            hashes.append(Releases(workspace).create(f"of-{author}", author=author, states="any").hash)
    assert hashes[0] == hashes[1]


def test_near_duplicates_lie_on_one_side_and_no_image_moves(workspace: Workspace) -> None:
    originals = [add(workspace, number) for number in range(12)]
    releases = Releases(workspace)
    releases.create("v1", author="ann", states="any")
    first = splits(workspace, "v1")
    assert len(set(first.values())) > 1  # else the copies below could go anywhere
    copies = [add(workspace, number, copy=True) for number in range(12)]
    made = releases.create("v2", author="ann", states="any")
    second = splits(workspace, "v2")
    assert {image: second[image] for image in first} == first
    assert [second[copy.image_id] for copy in copies] == [second[one.image_id] for one in originals]
    assert made.notes == ()


def test_a_picture_that_only_an_earlier_release_holds_still_draws_its_copy_to_its_side(workspace: Workspace) -> None:
    originals = [add(workspace, number, split="validation") for number in range(3)]
    for sample in originals:
        accept(workspace, sample)
    releases = Releases(workspace)
    releases.create("v1", author="ann")
    for sample in originals:
        workspace.store.reopen(sample.id, author="ann", reason="not good")
    copies = [add(workspace, number, copy=True) for number in range(3)]
    for sample in copies:
        accept(workspace, sample)
    releases.create("v2", author="ann")
    assert splits(workspace, "v2") == {copy.image_id: "validation" for copy in copies}


def test_a_split_of_the_source_is_kept_and_a_contradiction_is_noted(workspace: Workspace) -> None:
    add(workspace, 0, split="train")
    add(workspace, 0, copy=True, split="test")
    add(workspace, 1, split="validation")
    made = Releases(workspace).create("v1", author="ann", states="any")
    assert made.splits == {"train": 0, "validation": 1, "test": 2}
    assert len(made.notes) == 1
    assert "several splits in the sources of similar images, which take the safest (1 group)" in made.notes[0]


def test_a_text_that_looks_like_a_split_is_none(workspace: Workspace) -> None:
    sample = add(workspace, 0)
    revised(workspace, sample, '","split":"test","x":"')
    expected = assign_splits([[sample.image_id]], {}, {})[0]
    Releases(workspace).create("v1", author="ann", states="any")
    assert splits(workspace, "v1") == expected


def test_a_missing_picture_is_named_and_there_is_no_release(workspace: Workspace) -> None:
    sample = add(workspace, 7)
    workspace.blobs.path(sample.image_id).unlink()
    with pytest.raises(CorruptStore, match=r"7\.png"):
        Releases(workspace).create("v1", author="ann", states="any")
    assert Releases(workspace).all() == []


def test_a_release_that_appears_meanwhile_is_followed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its splits were not known when ours were made: they are made again."""
    sample = add(workspace, 0)
    releases = Releases(workspace)
    calls = list[object]()

    def slow(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 1:
            (only,) = releases.newest("any")
            other = only.model_copy(update={"split": "validation"})
            made = module._release("other", [other], author="bob", states="any", notes=())
            releases.add(made, [other])
        return assign_splits(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "assign_splits", slow)
    releases.create("v1", author="ann", states="any")
    assert len(calls) == 2
    assert splits(workspace, "v1") == {sample.image_id: "validation"}


def _create(path: Path, author: str, barrier: "multiprocessing.synchronize.Barrier") -> str:
    with Workspace.open(path) as workspace:
        barrier.wait()
        try:
            return Releases(workspace).create("v1", author=author, states="any").author
        except UsageError as error:
            return str(error)


def _race(
    path: Path, author: str, barrier: "multiprocessing.synchronize.Barrier", told: "multiprocessing.Queue[str]"
) -> None:
    told.put(_create(path, author, barrier))


def test_of_two_processes_that_create_the_same_name_one_wins(workspace: Workspace) -> None:
    add(workspace, 0)
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(2), context.Queue()
    processes = [context.Process(target=_race, args=(workspace.path, who, barrier, told)) for who in ("ann", "bob")]
    for process in processes:
        process.start()
    answers = sorted(told.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    (made,) = Releases(workspace).all()
    assert sorted(answers) == sorted(
        [made.author, "release v1 exists already; a release never changes, take another name"]
    )


def test_items_come_in_pages_by_split(workspace: Workspace) -> None:
    for number, split in enumerate(("test", "train", "train", "validation")):
        add(workspace, number, split=split)  # type: ignore[arg-type]
    releases = Releases(workspace)
    releases.create("v1", author="ann", states="any")
    total, some = releases.page("v1", offset=1, limit=2)
    assert (total, some) == (4, releases.items("v1")[1:3])
    total, some = releases.page("v1", split="train")
    assert (total, [item.split for item in some]) == (2, ["train", "train"])
    assert releases.page("v1", split="test", offset=5) == (1, [])
    assert releases.item("v1", some[0].sample_id) == some[0]
    with pytest.raises(NotFound, match="no sample of release v1 nobody"):
        releases.item("v1", "nobody")


def test_the_hash_is_that_of_the_items_whatever_their_order(workspace: Workspace) -> None:
    for number in range(3):
        add(workspace, number)
    releases = Releases(workspace)
    made = releases.create("v1", author="ann", states="any")
    assert made.hash == release_hash(reversed(releases.items("v1")))


@pytest.mark.postgres
@pytest.mark.slow
def test_releases_on_postgresql_are_those_of_sqlite(tmp_path: Path, postgres_url: str) -> None:
    hashes = []
    for folder, url in (("lite", ""), ("server", postgres_url)):
        with Workspace.create(tmp_path / folder):
            pass
        with Workspace(tmp_path / folder, Settings(database=url)) as workspace:
            for number in range(6):
                add(workspace, number, split="test" if number == 2 else None)
            add(workspace, 2, copy=True)
            made = Releases(workspace).create("v1", author="ann", states="any")
            assert made.splits["test"] >= 2
            assert verify_release(workspace, "v1") == []
            assert verify(workspace) == []
            hashes.append(made.hash)
    assert hashes[0] == hashes[1]
