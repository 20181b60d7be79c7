import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants, get_session

from tests.hub import DROP, HOLD, LOSE, TOKEN, FakeHub
from whyseg.curation import hub as module
from whyseg.curation.hub import Outcome, files_below, send
from whyseg.schemas.errors import HubConflict, HubDenied, HubError, HubUnavailable

# The client hands its files over by a name that its HTTP library calls old.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
REPO = "ann/cups"
CARD = "---\npretty_name: cups\n---\n\n# cups\n"


@pytest.fixture(scope="module")
def running() -> Iterator[FakeHub]:
    with FakeHub().running() as started:
        yield started


@pytest.fixture
def hub(running: FakeHub) -> FakeHub:
    running.reset()
    return running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A card, two large files and a small one, and a hidden one that is none of them."""
    made = tmp_path / "export"
    (made / "data").mkdir(parents=True)
    (made / "assets").mkdir()
    (made / ".receipts").mkdir()
    (made / ".receipts" / "000000").write_text("1")
    (made / "README.md").write_text(CARD)
    (made / "data" / "train-00000-of-00001.parquet").write_bytes(b"PAR1" * 1000)
    (made / "assets" / "sample-1.jpg").write_bytes(b"\xff\xd8\xff" * 100)
    (made / "export-report.jsonl").write_text("{}\n")
    return made


def bring(hub: FakeHub, folder: Path, tag: str = "v1", *, private: bool = False) -> tuple[Outcome, str]:
    api = HfApi(endpoint=hub.url, token=TOKEN)
    return send(files_below(folder), REPO, tag, message=f"Release {tag}", private=private, api=api)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.path: file.file.read_bytes() for file in files_below(folder)}


def stored(hub: FakeHub, revision: str) -> dict[str, bytes]:
    """Return what a revision holds beside the Hub's own file."""
    return {path: data for path, data in hub.repos[REPO].at(revision).items() if path != ".gitattributes"}


def test_a_first_push_makes_the_repository_one_commit_and_the_tag(hub: FakeHub, folder: Path) -> None:
    outcome, commit = bring(hub, folder)
    repo = hub.repos[REPO]
    assert outcome == "pushed"
    assert repo.messages == ["initial commit", "Release v1"]
    assert repo.tags == {"v1": commit} == {"v1": repo.main}
    assert stored(hub, "v1") == contents(folder)
    assert not repo.private
    assert hub.count("PUT") == 2  # the two large files


def test_a_second_push_does_nothing(hub: FakeHub, folder: Path) -> None:
    first = bring(hub, folder)
    asked = len(hub.requests)
    assert bring(hub, folder) == ("unchanged", first[1])
    assert {method for method, _ in hub.requests[asked:]} == {"GET"}


def test_an_older_release_stays_done_when_a_newer_one_came(hub: FakeHub, folder: Path) -> None:
    bring(hub, folder)
    (folder / "README.md").write_text(CARD + "more\n")
    bring(hub, folder, "v2")
    newest = hub.repos[REPO].main
    (folder / "README.md").write_text(CARD)
    assert bring(hub, folder)[0] == "unchanged"
    assert hub.repos[REPO].main == newest


def test_the_same_files_under_another_tag_need_no_commit(hub: FakeHub, folder: Path) -> None:
    commit = bring(hub, folder)[1]
    assert bring(hub, folder, "best/one") == ("tagged", commit)
    assert hub.repos[REPO].tags == {"v1": commit, "best/one": commit}
    assert hub.count("POST", "/commit/") == 1


def test_the_next_release_sends_what_is_new_and_removes_what_is_gone(hub: FakeHub, folder: Path) -> None:
    bring(hub, folder)
    repo = hub.repos[REPO]
    repo.commit({**repo.at("main"), "LICENSE": b"theirs", "notes/data.txt": b"theirs"}, "by hand")
    uploads = hub.count("PUT")
    (folder / "data" / "train-00000-of-00001.parquet").rename(folder / "data" / "train-00000-of-00002.parquet")
    (folder / "data" / "train-00001-of-00002.parquet").write_bytes(b"PAR2")
    assert bring(hub, folder, "v2")[0] == "pushed"
    assert stored(hub, "v2") == {**contents(folder), "LICENSE": b"theirs", "notes/data.txt": b"theirs"}
    assert hub.count("PUT") == uploads + 1  # the renamed file's bytes are there already


def test_a_tag_with_other_content_is_refused_and_nothing_is_sent(hub: FakeHub, folder: Path) -> None:
    bring(hub, folder)
    before = dict(hub.repos[REPO].tags)
    (folder / "assets" / "sample-1.jpg").write_bytes(b"\xff\xd8\xff" * 99 + b"abc")  # of the same size
    asked = len(hub.requests)
    with pytest.raises(HubConflict, match=r"tag v1 with other content \(1 file differs, such as assets/sample-1.jpg\)"):
        bring(hub, folder)
    assert {method for method, _ in hub.requests[asked:]} == {"GET"}
    assert hub.repos[REPO].tags == before


def test_a_tag_that_holds_more_than_the_release_is_other_content(hub: FakeHub, folder: Path) -> None:
    bring(hub, folder)
    (folder / "assets" / "sample-1.jpg").unlink()
    with pytest.raises(HubConflict, match=r"such as assets/sample-1\.jpg"):
        bring(hub, folder)


def test_a_commit_of_somebody_else_in_between_is_not_overwritten(hub: FakeHub, folder: Path) -> None:
    def race(repo: object) -> None:
        hub.before_commit = None
        hub.repos[REPO].commit({"README.md": b"theirs"}, "faster")

    hub.before_commit = race
    with pytest.raises(HubConflict, match="changed by somebody else meanwhile"):
        bring(hub, folder)
    assert hub.repos[REPO].messages == ["initial commit", "faster"]
    assert hub.repos[REPO].tags == {}
    assert bring(hub, folder)[0] == "pushed"


def test_files_that_the_repository_keeps_out_are_not_tagged(hub: FakeHub, folder: Path) -> None:
    hub.keeps_out = "assets/"
    with pytest.raises(HubConflict, match=r"did not take all files \(1 file differs, such as assets/sample-1\.jpg\)"):
        bring(hub, folder)
    assert hub.repos[REPO].tags == {}


def test_a_tag_of_somebody_else_in_between_is_not_moved(hub: FakeHub, folder: Path) -> None:
    hub.before_commit = lambda repo: repo.tags.update(v1=repo.main)
    with pytest.raises(HubConflict):
        bring(hub, folder)
    repo = hub.repos[REPO]
    assert repo.messages[repo.messages.index("initial commit")] == "initial commit"
    assert set(repo.at("v1")) == {".gitattributes"}


def test_private_makes_a_private_repository_and_refuses_a_public_one(hub: FakeHub, folder: Path) -> None:
    bring(hub, folder, private=True)
    assert hub.repos[REPO].private
    hub.repos[REPO].private = False
    with pytest.raises(HubConflict, match="is there and public"):
        bring(hub, folder, "v2", private=True)


@pytest.mark.parametrize(
    ("method", "part", "status", "error", "says"),
    [
        ("GET", "/refs", 401, HubDenied, "does not accept the token"),
        ("POST", "/create", 403, HubDenied, "may not write to ann/cups"),
        ("GET", "/refs", 404, HubError, "is not there"),
        ("GET", "/refs", 429, HubUnavailable, "asks to wait"),
        ("POST", "/commit/", 409, HubConflict, "changed by somebody else"),
        ("POST", "/commit/", 500, HubUnavailable, "the Hub fails (500"),
        ("POST", "/commit/", 503, HubUnavailable, "the Hub fails (503"),
        ("POST", "/commit/", 400, HubError, "the Hub refuses this"),
        ("POST", "/validate-yaml", 502, HubUnavailable, "the Hub fails (502"),
        ("POST", "/batch", 422, HubError, "the Hub refuses this"),
        ("PUT", "/large/", 403, HubDenied, "may not write"),
        ("GET", "/refs", DROP, HubUnavailable, "does not answer"),
        ("POST", "/commit/", DROP, HubUnavailable, "push again"),
    ],
)
def test_what_the_hub_refuses_is_one_typed_line_and_a_later_push_succeeds(
    hub: FakeHub, folder: Path, method: str, part: str, status: int, error: type[HubError], says: str
) -> None:
    hub.fail(method, part, status)
    with pytest.raises(HubError) as caught:
        bring(hub, folder)
    assert type(caught.value) is error
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    hub.faults.clear()
    assert bring(hub, folder)[0] == "pushed"
    assert stored(hub, "v1") == contents(folder)


def test_an_upload_that_fails_once_is_tried_again(hub: FakeHub, folder: Path) -> None:
    hub.fail("PUT", "/large/", 500, times=1)
    hub.fail("PUT", "/large/", DROP, times=1)
    assert bring(hub, folder)[0] == "pushed"
    assert stored(hub, "v1") == contents(folder)


def test_a_commit_whose_answer_was_lost_is_not_made_twice(hub: FakeHub, folder: Path) -> None:
    hub.fail("POST", "/commit/", LOSE)
    with pytest.raises(HubUnavailable):
        bring(hub, folder)
    hub.faults.clear()
    assert bring(hub, folder)[0] == "tagged"
    assert hub.repos[REPO].messages == ["initial commit", "Release v1"]
    assert stored(hub, "v1") == contents(folder)


def test_what_had_arrived_before_a_failure_is_not_sent_again(hub: FakeHub, folder: Path) -> None:
    jpg = hashlib.sha256((folder / "assets" / "sample-1.jpg").read_bytes()).hexdigest()
    hub.fail("PUT", jpg, 403)
    with pytest.raises(HubDenied):
        bring(hub, folder)
    hub.faults.clear()
    bring(hub, folder)
    sent = [path for method, path in hub.requests if method == "PUT" and jpg not in path]
    assert len(sent) == 1


def test_a_wrong_token_is_denied(hub: FakeHub, folder: Path) -> None:
    api = HfApi(endpoint=hub.url, token="hf_wrong")
    with pytest.raises(HubDenied, match=r"does not accept the token \(401: Invalid credentials"):
        send(files_below(folder), REPO, "v1", message="m", private=False, api=api)


def test_a_token_that_may_only_read_is_denied(hub: FakeHub, folder: Path) -> None:
    hub.read_only = True
    with pytest.raises(HubDenied, match=r"may not write to ann/cups \(403"):
        bring(hub, folder)
    assert hub.repos == {}


def test_a_card_that_the_hub_does_not_take_is_refused_before_anything_is_sent(hub: FakeHub, folder: Path) -> None:
    (folder / "README.md").write_text("---\nlicense: not-a-licence\n---\n")
    with pytest.raises(HubError, match='"license" must be one of'):
        bring(hub, folder)
    assert hub.count("PUT") == 0


def test_no_network_is_said_in_one_line(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    api = HfApi(endpoint=f"http://127.0.0.1:{port}", token=TOKEN)
    with pytest.raises(HubUnavailable, match=r"does not answer \(ConnectError"):
        send(files_below(folder), REPO, "v1", message="m", private=False, api=api)


def test_a_hub_that_never_answers_is_given_up(hub: FakeHub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    hub.fail("GET", "/refs", HOLD)
    with pytest.raises(HubUnavailable, match="ReadTimeout"):
        bring(hub, folder)
    hub.let_go()


def test_without_a_token_nothing_is_asked(
    hub: FakeHub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(HubDenied, match="no token for the Hub"):
        send(files_below(folder), REPO, "v1", message="m", private=False, api=HfApi(endpoint=hub.url))
    assert hub.requests == []


def test_the_token_stands_in_no_message_and_no_log(
    hub: FakeHub, folder: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    hub.says = f"Bearer {TOKEN} is not welcome"
    hub.fail("POST", "/commit/", 400)
    with caplog.at_level("INFO"), caplog.at_level("DEBUG", "huggingface_hub"), pytest.raises(HubError) as caught:
        bring(hub, folder)
    assert "Bearer *** is not welcome" in str(caught.value)
    assert TOKEN not in caplog.text
    assert TOKEN not in "".join(capfd.readouterr())


def test_xet_is_off_during_a_push_and_as_it_was_after_it(
    hub: FakeHub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
    monkeypatch.delenv("HF_HUB_DISABLE_XET", raising=False)
    patience = get_session().timeout
    bring(hub, folder)
    assert not any("xet" in path for _, path in hub.requests)
    assert constants.HF_HUB_DISABLE_XET is False
    assert "HF_HUB_DISABLE_XET" not in os.environ
    assert get_session().timeout == patience
