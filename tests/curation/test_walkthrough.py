from pathlib import Path

import pytest

from tests.fakes import FakeEmbedding, FakeSegmenter
from whyseg.curation import walkthrough
from whyseg.curation.demo import AUTHOR, PHOTOS
from whyseg.curation.queries import SampleFilter
from whyseg.curation.segmenters.base import RgbArray
from whyseg.curation.walkthrough import STEPS, table, walk
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Head, Query
from whyseg.schemas.errors import ModelFailed


def walked(workspace: Workspace) -> dict[str, Head]:
    """Return the walk's samples by the names of their photographs."""
    rows = workspace.store.page(SampleFilter(), limit=500).samples
    heads = {row.file_name: workspace.store.head(row.id) for row in rows}
    return {name: head for name, head in heads.items() if head.sample.source == "demo"}


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, walkthrough.Walkthrough, list[str]]:
    told: list[str] = []
    folder = tmp_path_factory.mktemp("demo") / "w"
    return folder, walk(folder, FakeSegmenter(), "a test.", told=told.append), told


def test_every_photograph_becomes_a_submitted_sample(once: tuple[Path, walkthrough.Walkthrough, list[str]]) -> None:
    folder, result, told = once
    assert (result.ok, result.problems, told) == (True, (), [photo.name for photo in PHOTOS])
    assert result.segmenter == {"name": "fake", "model": "fake/discs", "reason": "a test."}
    with Workspace.open(folder) as workspace:
        assert workspace.store.stats().states == {"draft": 7, "submitted": 7, "accepted": 0, "rejected": 0}
        heads = walked(workspace)
    for photo in PHOTOS:
        sample = heads[photo.name].sample
        assert sample.query == Query(text=photo.query)
        assert (sample.reasoning_type, sample.hops, sample.depth) == (photo.reasoning_type, photo.hops, len(photo.hops))
        assert [instance.label for instance in sample.instances] == [target.label for target in photo.targets]
        for instance, target in zip(sample.instances, photo.targets, strict=True):
            assert instance.prompt.points == (target.first, target.second)
            assert instance.origin.model == "fake/discs"
            assert instance.mask.decode()[int(target.first.y), int(target.first.x)]


def test_every_step_is_timed(once: tuple[Path, walkthrough.Walkthrough, list[str]]) -> None:
    _, result, _ = once
    assert all(list(photo.ms) == list(STEPS) for photo in result.photos)
    rows = table(result)
    assert rows[0] == ["photograph", *(f"{step} ms" for step in STEPS), ""]
    assert [row[-1] for row in rows[1:]] == ["ok"] * 7


def test_the_report_holds_all_pictures_and_questions(once: tuple[Path, walkthrough.Walkthrough, list[str]]) -> None:
    folder, result, _ = once
    page = Path(result.report).read_text()
    assert Path(result.report) == folder.resolve() / "report.html"
    assert page.count("data:image/png;base64,") == 7
    assert all(photo.query.replace("'", "&#x27;") in page for photo in PHOTOS)
    assert all(photo.license.split(";")[0] in page for photo in PHOTOS)


def test_a_second_walk_keeps_what_is_there_and_what_people_did(tmp_path: Path) -> None:
    assert walk(tmp_path / "w", FakeSegmenter(), "").ok
    with Workspace.open(tmp_path / "w") as workspace:
        before = walked(workspace)
        head = before["coffee.png"]
        changed = head.sample.model_copy(update={"query": Query(text="what is for stirring?")})
        edited = workspace.store.revise(head.sample.id, changed, parent=head.revision.id, author="ann")
    again = walk(tmp_path / "w", FakeSegmenter(), "")
    assert (again.ok, [photo.file for photo in again.photos if photo.kept]) == (True, ["coffee.png"])
    with Workspace.open(tmp_path / "w") as workspace:
        assert walked(workspace) == {**before, "coffee.png": edited}
        assert {head.revision.author for head in before.values()} == {AUTHOR}


class BlindToTheCat(FakeSegmenter):
    """A segmenter that fails for one photograph."""

    def embed(self, image: RgbArray) -> FakeEmbedding:
        if image.shape[:2] == (300, 451):
            raise ModelFailed("cats are too much")
        return super().embed(image)


def test_what_fails_for_one_photograph_is_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    result = walk(tmp_path / "w", BlindToTheCat(), "")
    problems = {photo.file: photo.problem for photo in result.photos if photo.problem}
    assert not result.ok
    assert problems["chelsea.png"] == "cats are too much"
    assert list(problems) == ["chelsea.png"]
    assert Path(result.report).read_text().count("<article>") == 6


def test_what_is_read_back_wrong_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = walkthrough._read_back

    def damaged(workspace: Workspace, trial: walkthrough._Trial) -> object:
        if trial.photo.name == "rocket.jpg" and trial.expected:
            trial.expected = trial.expected.model_copy(update={"query": Query(text="something else")})
        return real(workspace, trial)

    monkeypatch.setattr(walkthrough, "_read_back", damaged)
    result = walk(tmp_path / "w", FakeSegmenter(), "")
    assert not result.ok
    assert [photo.file for photo in result.photos if photo.problem] == ["rocket.jpg"]


def test_a_damaged_picture_fails_the_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert walk(tmp_path / "w", FakeSegmenter(), "").ok
    blob = next(iter((tmp_path / "w" / "images").glob("??/*")))
    data = bytearray(blob.read_bytes())
    data[len(data) // 2] ^= 0xFF
    blob.chmod(0o600)
    blob.write_bytes(data)
    result = walk(tmp_path / "w", FakeSegmenter(), "")
    assert not result.ok
    assert result.problems
