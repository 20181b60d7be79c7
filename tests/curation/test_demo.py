from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from whyseg.curation.demo import PHOTOS, prepare
from whyseg.curation.images import read_upright
from whyseg.curation.queries import SampleFilter
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Prompt, ReasoningType
from whyseg.schemas.errors import UsageError

FIND_SPEC = "whyseg.curation.demo.find_spec"


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.create(tmp_path / "w") as opened:
        yield opened


def test_every_photograph_is_where_it_should_be_and_its_clicks_lie_on_it() -> None:
    for photo in PHOTOS:
        path = photo.path()
        assert path is not None, photo.file
        size = read_upright(path.read_bytes(), photo.name).size
        for target in photo.targets:
            Prompt(points=(target.first, target.second)).require_inside(size)
            assert target.first.positive
        assert 1 <= len(photo.hops) <= 4
        assert photo.license
    assert {photo.reasoning_type for photo in PHOTOS} == set(ReasoningType)


def test_the_photographs_come_in_with_their_terms_and_once(workspace: Workspace) -> None:
    assert prepare(workspace).added == len(PHOTOS)
    again = prepare(workspace)
    assert (again.added, again.skipped) == (0, len(PHOTOS))
    terms = {
        row.file_name: workspace.store.image(row.image_id).license
        for row in workspace.store.page(SampleFilter()).samples
    }
    assert terms == {photo.name: photo.license for photo in PHOTOS}


def test_a_package_that_is_missing_costs_its_photographs_only(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FIND_SPEC, lambda name: None if name == "skimage" else find_spec(name))
    assert prepare(workspace).added == 2


def test_without_any_package_the_error_says_what_to_install(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FIND_SPEC, lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'whyseg\[demo\]'"):
        prepare(workspace)
    assert workspace.store.stats().images == 0
