"""A whole workspace whose records lie on a PostgreSQL server."""

from pathlib import Path

import pytest

from tests.released import add_sample
from whyseg.curation.checks import check_workspace
from whyseg.curation.queries import SampleFilter
from whyseg.curation.release_checks import verify_release
from whyseg.curation.releases import Releases
from whyseg.curation.verify import verify
from whyseg.curation.workspace import Workspace

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture
def path(tmp_path: Path, postgres_url: str) -> Path:
    """Make a workspace that was moved to a server before anything was in it."""
    Workspace.create(tmp_path / "w").close()
    (tmp_path / "w" / "whyseg.toml").write_text(f'database = "{postgres_url}"\n')
    (tmp_path / "w" / "whyseg.db").unlink()
    return tmp_path / "w"


def test_samples_go_all_the_way_to_a_release(path: Path) -> None:
    with Workspace.open(path) as workspace:
        samples = [add_sample(workspace, number, query="where is the disc?") for number in range(3)]
        found = check_workspace(workspace)
        assert [finding.kind for finding in found.findings].count("label_leak") == 3
        again = check_workspace(workspace)
        assert (again.new, again.gone, again.findings) == (0, 0, found.findings)
        release = Releases(workspace).create("v1", author="ann")
        assert release.samples == 3
        assert verify_release(workspace, "v1") == []
        assert verify(workspace) == []
        assert workspace.store.page(SampleFilter(text="DISC")).total == 3
        head = workspace.store.reopen(samples[0].id, author="cyd", reason="the disc is named")
        mended = head.sample.model_copy(update={"query": None})
        workspace.store.revise(head.sample.id, mended, parent=head.revision.id, author="ann")
        left = check_workspace(workspace).findings
        assert [finding.kind for finding in left].count("label_leak") == 2
    with Workspace.open(path) as workspace:
        assert workspace.store.stats().states == {"draft": 1, "submitted": 0, "accepted": 2, "rejected": 0}
        assert len(Releases(workspace).all()) == 1
    assert not (path / "whyseg.db").exists()
