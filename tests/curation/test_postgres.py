"""A whole workspace whose records lie on a PostgreSQL server."""

import shutil
import subprocess
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url

from tests.postgres import OWNER, new_database
from tests.provision import postgres
from tests.released import add_sample
from whyseg.curation.backup import backup
from whyseg.curation.checks import check_workspace
from whyseg.curation.finding_pages import FindingFilter, Findings
from whyseg.curation.queries import SampleFilter
from whyseg.curation.release_checks import verify_release
from whyseg.curation.releases import Releases
from whyseg.curation.targets import coverage, set_target
from whyseg.curation.verify import verify
from whyseg.curation.visibility import Viewer
from whyseg.curation.workspace import Workspace
from whyseg.schemas import ReasoningType
from whyseg.schemas.errors import UsageError

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture
def path(tmp_path: Path, postgres_url: str) -> Path:
    Workspace.create(tmp_path / "w", database=postgres_url).close()
    return tmp_path / "w"


def test_samples_go_all_the_way_to_a_release(path: Path) -> None:
    with Workspace.open(path) as workspace:
        samples = [add_sample(workspace, number, query="where is the disc?") for number in range(3)]
        found = check_workspace(workspace)
        assert [finding.kind for finding in found.findings].count("label_leak") == 3
        again = check_workspace(workspace)
        assert (again.new, again.gone, again.findings) == (0, 0, found.findings)
        findings = Findings(workspace.store)
        page = findings.page(FindingFilter(kind="label_leak", viewer=Viewer(name="ann")), limit=2)
        assert (page.total, len(page.findings), page.kinds["label_leak"]) == (3, 2, 3)
        aside = page.findings[0].finding.id
        findings.set_aside(aside, reason="everybody calls it that", by="ann")
        assert check_workspace(workspace).set_aside == 1
        assert findings.page(FindingFilter(severity="warning")).kinds["label_leak"] == 2
        assert findings.bring_back(aside, by="ann").finding.set_aside is None
        set_target(workspace, ReasoningType.COMMONSENSE, 2, 7, author="cur")
        assert coverage(workspace).wanted[0].missing == 6  # one of the three samples is commonsense at depth 2
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


def test_a_backup_by_the_servers_own_tools_verifies(path: Path, tmp_path: Path, postgres_socket: Path) -> None:
    with Workspace.open(path) as workspace:
        samples = [add_sample(workspace, number) for number in range(3)]
        Releases(workspace).create("v1", author="ann")
        database = str(make_url(workspace.settings.database).database)
        with pytest.raises(UsageError, match="with its own tool"):
            backup(workspace, tmp_path / "b.tar")
    programs, options = postgres(), ["-h", str(postgres_socket), "-U", OWNER]
    dump = str(tmp_path / "team.dump")
    subprocess.run([programs / "pg_dump", *options, "--format=custom", f"--file={dump}", database], check=True)
    again = new_database(postgres_socket, uuid4().hex)
    subprocess.run([programs / "pg_restore", *options, f"--dbname={make_url(again).database}", dump], check=True)
    shutil.copytree(path, tmp_path / "again")
    settings = tmp_path / "again" / "whyseg.toml"
    settings.write_text(settings.read_text().replace(database, str(make_url(again).database)))
    with Workspace.open(tmp_path / "again") as workspace:
        assert verify(workspace) == []
        assert workspace.store.stats().samples == len(samples)
        assert verify_release(workspace, "v1") == []
