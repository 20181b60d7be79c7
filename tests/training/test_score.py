import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeSegmenter
from tests.released import released
from tests.training.scripted import ScriptedPolicy, said
from whyseg.curation.checks import check_workspace
from whyseg.curation.proposals import Proposals
from whyseg.curation.signals import MODEL_FINDINGS, SignalStore
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Review, RevisionReason
from whyseg.schemas.errors import ModelUnavailable, NotFound, UsageError
from whyseg.training import score as score_module
from whyseg.training.candidates import Candidates
from whyseg.training.mask_reward import Masks
from whyseg.training.pictures import RgbArray
from whyseg.training.predict import CANDIDATES, Predictor, Sampling
from whyseg.training.score import Asked, Live, ScoreReport, Stored, run_of, score, wanted
from whyseg.training.voting import Answer, Candidate

AWAY = said((40, 40, 79, 59))  # a box in the lower right corner; the discs of the released pictures are around (32, 30)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with released(tmp_path / "w", samples=3) as opened:
        yield opened


def live(
    workspace: Workspace, policy: ScriptedPolicy, *, release: str | None = "v1", k: int = 8, **words: int
) -> ScoreReport:
    masks = Masks(FakeSegmenter())
    source = Live(Predictor(policy, masks, Sampling.of(k)), workspace.cache / "score")
    try:
        return scored(workspace, wanted(workspace, release), source, masks, release)
    finally:
        source.close()


def scored(
    workspace: Workspace, asked: list[Asked], source: Live | Stored, masks: Masks, release: str | None = None
) -> ScoreReport:
    facts = {"policy": "p", "segmenter": "fake", "samples": 8, "temperature": 1.0, "seed": 1}
    run = run_of(source.facts(), asked, release, **facts, created_at=workspace.store.clock())
    return score(workspace, run, asked, source, masks)


def always(text: str, most: int = 1000) -> ScriptedPolicy:
    return ScriptedPolicy(lambda query, number: text, most=most)


def test_what_a_policy_says_becomes_signals_findings_and_proposals(workspace: Workspace) -> None:
    report = live(workspace, always(AWAY))
    count = len(wanted(workspace, "v1"))
    assert (report.scored, report.known, report.revised, report.refused) == (count, 0, 0, ())
    assert report.findings == {"never_solved": count, "wrong_target": count}
    assert (report.new, report.gone, report.proposals) == (2 * count, 0, count)
    for one in wanted(workspace, "v1"):
        key = one.revision.sample.id
        newest = SignalStore(workspace.store).newest(key)
        assert newest is not None
        assert (newest[0], newest[1].revision_id, newest[1].agreement) == (report.run, one.revision.id, 1)
        (proposal,) = Proposals(workspace.store).of(key)
        assert (proposal.reason, proposal.state) == (RevisionReason.WRONG_TARGET, "open")


def test_the_same_run_again_asks_and_writes_nothing(workspace: Workspace) -> None:
    first = live(workspace, always(AWAY))
    again = always(AWAY, most=0)
    second = live(workspace, again)
    assert second.run.id == first.run.id
    assert (second.scored, second.known, second.new, second.proposals) == (0, first.scored, 0, 0)


def test_a_run_that_was_cut_off_goes_on_where_it_was(workspace: Workspace) -> None:
    policy = always(AWAY, most=2)
    with pytest.raises(KeyboardInterrupt):
        live(workspace, policy)
    (file,) = (workspace.cache / "score").glob(f"*/{CANDIDATES}")
    facts = json.loads(file.with_name("score.json").read_text())
    assert (facts["name"], facts["sampling"]["k"], facts["segmenter"]) == ("scripted", 8, "fake fake/discs")
    with file.open("ab") as torn:
        torn.write(b'{"sample_id": "torn')
    second = always(AWAY)
    report = live(workspace, second)
    texts = [one.revision.sample.query.text for one in wanted(workspace, "v1") if one.revision.sample.query]
    assert policy.asked + second.asked == texts
    assert (report.known, report.scored, report.new) == (2, len(texts) - 2, 2 * len(texts))
    assert len(Proposals(workspace.store).page().proposals) == len(texts)


def test_answers_are_not_asked_for_again_when_annotations_changed(workspace: Workspace) -> None:
    live(workspace, always(AWAY), release=None)
    one = wanted(workspace, None)[0].revision
    workspace.store.reopen(one.sample.id, author="ann", reason="look again")
    changed = one.sample.model_copy(update={"hops": (), "depth": 2})
    workspace.store.revise(one.sample.id, changed, parent=one.id, author="ann")
    report = live(workspace, always(AWAY, most=0), release=None)
    assert (report.known, report.scored) == (0, len(wanted(workspace, None)))


def test_a_sample_that_was_revised_since_has_signals_alone(workspace: Workspace) -> None:
    frozen = wanted(workspace, "v1")[0].revision
    key = frozen.sample.id
    workspace.store.reopen(key, author="ann", reason="look again")
    changed = frozen.sample.model_copy(update={"hops": (), "depth": 2})
    workspace.store.revise(key, changed, parent=frozen.id, author="ann")
    report = live(workspace, always(AWAY))
    assert report.revised == 1
    newest = SignalStore(workspace.store).newest(key)
    assert newest is not None
    assert newest[1].revision_id == frozen.id
    assert (Proposals(workspace.store).of(key), workspace.store.findings(key)) == ([], [])


def test_a_later_run_that_finds_nothing_ends_what_an_earlier_one_found(workspace: Workspace, tmp_path: Path) -> None:
    live(workspace, always(AWAY))
    asked = wanted(workspace, "v1")
    (tmp_path / "c.jsonl").write_text("\n".join(stored(one) for one in asked))
    report = scored(workspace, asked, Stored(tmp_path / "c.jsonl"), Masks(FakeSegmenter()), "v1")
    assert (report.gone, report.findings) == (2 * len(asked), {"too_easy": len(asked)})
    # Checks know nothing of models: what is of the newest revision stays.
    before = [one.kind for one in workspace.store.findings() if one.kind in MODEL_FINDINGS]
    check_workspace(workspace)
    assert [one.kind for one in workspace.store.findings() if one.kind in MODEL_FINDINGS] == before


def test_a_run_of_few_answers_does_not_end_what_many_found(workspace: Workspace) -> None:
    live(workspace, always(AWAY))
    report = live(workspace, ScriptedPolicy(lambda query, number: said()), k=2)
    assert (report.scored, report.findings, report.gone) == (3, {}, 0)
    assert len(workspace.store.findings()) == 6


def test_an_answer_that_did_not_come_is_asked_for_by_the_next_run(workspace: Workspace) -> None:
    report = live(workspace, always(""))
    assert (report.scored, report.unanswered) == (0, len(wanted(workspace, "v1")))
    assert live(workspace, always(AWAY)).scored == report.unanswered


def test_a_policy_that_is_gone_ends_the_run_and_another_goes_on(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(score_module, "GONE", 2)
    asked = iter([AWAY, "", "", AWAY])
    with pytest.raises(ModelUnavailable, match="scripted to 2 questions on end"):
        live(workspace, ScriptedPolicy(lambda query, number: next(asked) if number == 0 else ""))
    assert next(asked) == AWAY  # the fourth was not asked
    report = live(workspace, always(AWAY))
    assert (report.known, report.scored) == (1, len(wanted(workspace, "v1")) - 1)


class Apart(ScriptedPolicy):
    """A policy as behind an endpoint, which is asked several questions at once."""

    at_once = 8

    def answer(self, images: Sequence[RgbArray], queries: Sequence[str], **sampling: Any) -> list[list[str]]:
        """Answer from the script, and count the questions of each call."""
        self.calls = [*getattr(self, "calls", []), len(queries)]
        return super().answer(images, queries, **sampling)


def test_a_policy_that_answers_each_question_apart_is_asked_several_at_once(workspace: Workspace) -> None:
    policy = Apart(lambda query, number: AWAY)
    report = live(workspace, policy)
    count = len(wanted(workspace, "v1"))
    assert policy.calls == [count]
    assert (report.scored, report.proposals) == (count, count)
    again = Apart(lambda query, number: AWAY, most=0)
    assert live(workspace, again, release=None).scored == count  # another run: what was answered is not asked again


def test_rejected_samples_are_neither_asked_about_nor_proposed_to_be_changed(workspace: Workspace) -> None:
    one = wanted(workspace, "v1")[0].revision
    key = one.sample.id
    workspace.store.reopen(key, author="ann", reason="look again")
    workspace.store.submit(key, parent=one.id, author="ann")
    refused = {"id": "r", "sample_id": key, "revision_id": one.id, "reviewer": "bob", "decision": "reject"}
    words = {"reasons": ["bad_image"], "created_at": workspace.store.clock()}
    workspace.store.review(Review.parse({**refused, **words}))
    policy = always(AWAY)
    report = live(workspace, policy)
    assert (report.rejected, report.scored) == (1, len(wanted(workspace, "v1")) - 1)
    assert one.sample.query
    assert one.sample.query.text not in policy.asked
    assert (Proposals(workspace.store).of(key), workspace.store.findings(key)) == ([], [])


def test_stored_candidates_are_scored_without_asking(workspace: Workspace, tmp_path: Path) -> None:
    asked = wanted(workspace, "v1")
    lines = [stored(one) for one in asked[1:]]
    small = Candidates(size=(1, 1), answers=(says(Mask.empty((1, 1))),), sample_id=asked[0].revision.sample.id)
    (tmp_path / "c.jsonl").write_text("\n".join([*lines, small.line()]))
    source = Stored(tmp_path / "c.jsonl")
    assert source.most() == 8
    report = scored(workspace, asked, source, Masks(FakeSegmenter()), "v1")
    assert (report.scored, [one.file for one in report.refused]) == (len(asked) - 1, [asked[0].revision.sample.id])
    assert "1×1" in report.refused[0].reason or "(1, 1)" in report.refused[0].reason
    assert report.findings == {"too_easy": len(asked) - 1}


def says(mask: Mask) -> Answer:
    return Answer(objects=(Candidate(mask=mask),))


def stored(one: Asked) -> str:
    sample = one.revision.sample
    return Candidates(size=sample.size, answers=(says(sample.target()),) * 8, sample_id=sample.id).line()


def test_a_policy_that_was_trained_again_in_its_folder_is_asked_again(workspace: Workspace, tmp_path: Path) -> None:
    asked = []
    for weights in (b"first", b"later on"):
        (tmp_path / "weights").write_bytes(weights)
        policy = always(AWAY)
        policy.name = str(tmp_path)
        live(workspace, policy)
        asked.append(len(policy.asked))
    assert asked == [3, 3]


def test_two_runs_do_not_ask_the_same_policy_at_once(workspace: Workspace) -> None:
    predictor = Predictor(always(AWAY), Masks(FakeSegmenter()), Sampling.of(8))
    first = Live(predictor, workspace.cache / "score")
    with pytest.raises(UsageError, match="another process writes"):
        Live(predictor, workspace.cache / "score")
    first.close()


def test_other_answers_or_other_samples_are_another_run(workspace: Workspace) -> None:
    with pytest.raises(NotFound, match="v9"):
        wanted(workspace, "v9")
    asked = wanted(workspace, "v1")
    words = {"policy": "p", "segmenter": "s", "samples": 8, "temperature": 1.0, "seed": 1}
    at = workspace.store.clock()
    runs = [
        run_of(facts, some, release, **{**words, **more}, created_at=at).id
        for facts, some, release, more in (
            ({"a": 1}, asked, "v1", {}),
            ({"a": 1}, asked, "v1", {}),
            ({"a": 2}, asked, "v1", {}),
            ({"a": 1}, asked[1:], "v1", {}),
            ({"a": 1}, asked, None, {}),
            ({"a": 1}, asked, "v1", {"segmenter": "t"}),
        )
    ]
    assert runs[0] == runs[1]
    assert len(set(runs)) == 5
    with pytest.raises(UsageError, match="samples"):
        run_of({}, asked, "v1", **{**words, "samples": 0}, created_at=at)
