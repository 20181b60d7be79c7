from collections.abc import Sequence

import numpy as np

from tests.training.answers import row, sample
from tests.training.test_signals import LEFT, LOST, NOON, RIGHT, revision, says, signals
from whyseg.schemas import Mask, RevisionReason, Sample, ScoreRun
from whyseg.training.diagnosis import Diagnosis, Thresholds, diagnose, surest
from whyseg.training.voting import Answer, Candidate

RUN = ScoreRun(id="run", policy="p", segmenter="s", samples=8, temperature=1, seed=0, created_at=NOON)


def found(of: Sample, answers: Sequence[Answer], *reprompted: Mask | None) -> Diagnosis:
    again = reprompted or [instance.mask for instance in of.instances]
    return diagnose(revision(of), signals(of, answers, again), lambda: again, run=RUN)


def kinds(diagnosis: Diagnosis) -> list[str]:
    return [finding.kind for finding in diagnosis.findings]


def test_a_few_wrong_answers_are_no_finding() -> None:
    assert found(sample(LEFT), [says(LEFT)] * 6 + [says(RIGHT), says()]) == Diagnosis()


def test_answers_that_agree_on_something_else_propose_it() -> None:
    of = sample(LEFT)
    diagnosis = found(of, [says(RIGHT)] * 6 + [LOST, says()])
    assert kinds(diagnosis) == ["wrong_target", "never_solved"]
    finding = diagnosis.findings[0]
    assert (finding.severity, finding.sample_id, finding.image_id) == ("error", of.id, of.image_id)
    # 6 of the 7 that can be read: 86 %.
    assert finding.message == "86% of the readable answers agree on “it”, which shares 0% with the annotation."
    assert finding.evidence["box"] == [6, 0, 10, 1]
    assert (finding.evidence["run"], finding.evidence["revision"]) == ("run", revision(of).id)
    assert finding.evidence["figures"]["agreement"] == 0.8571
    (proposal,) = diagnosis.proposals
    assert (proposal.reason, proposal.says, proposal.made_by) == (
        RevisionReason.WRONG_TARGET,
        finding.message,
        "p, s",
    )
    # A new thing: a new id, the answers' label, and where it comes from.
    (instance,) = proposal.instances or ()
    assert (instance.id, instance.mask, instance.label, instance.origin.kind) == (2, RIGHT, "it", "model")


def test_what_the_segmenter_draws_beside_the_annotation_is_not_another_thing() -> None:
    # The answers' boxes are the annotated one; what the segmenter makes of them, and of that, shares nothing with it.
    beside = row("····##····")
    assert "wrong_target" not in kinds(found(sample(LEFT), [says(beside, box=(0, 0, 4, 1))] * 8, beside))
    # With boxes elsewhere it is another thing, whatever the segmenter makes of the annotated box.
    assert kinds(found(sample(LEFT), [says(RIGHT)] * 8, RIGHT)) == ["wrong_target", "never_solved"]


def test_answers_that_see_nothing_speak_against_an_annotation_and_propose_nothing() -> None:
    diagnosis = found(sample(LEFT), [says()] * 7 + [says(LEFT)])
    assert (kinds(diagnosis), diagnosis.proposals) == (["wrong_target"], ())


def test_answers_that_see_something_speak_against_a_no_target_sample() -> None:
    diagnosis = found(sample(no_target=True), [says(LEFT)] * 7 + [says()])
    assert kinds(diagnosis) == ["wrong_target"]
    assert [instance.mask for instance in diagnosis.proposals[0].instances or ()] == [LEFT]
    assert found(sample(no_target=True), [says()] * 7 + [says(LEFT)]) == Diagnosis()


def test_a_thing_that_is_not_annotated_is_added() -> None:
    diagnosis = found(sample(LEFT), [says(LEFT, RIGHT)] * 7 + [says(LEFT)])
    assert kinds(diagnosis) == ["wrong_target"]
    (proposal,) = diagnosis.proposals
    assert proposal.reason is RevisionReason.MISSING_INSTANCE
    assert [(one.id, one.mask) for one in proposal.instances or ()] == [(1, LEFT), (2, RIGHT)]


def test_what_lies_in_the_ignore_region_is_neither_missing_nor_a_rival() -> None:
    of = sample(LEFT, ignore=row("·····#####"))
    assert kinds(found(of, [says(LEFT, RIGHT)] * 8)) == ["too_easy"]
    # 5 of 8 see the annotated thing, 3 what does not count: 5 of 8 reach an IoU of 0.5.
    assert found(of, [says(LEFT)] * 5 + [says(RIGHT)] * 3) == Diagnosis()


def test_a_thing_that_no_answer_means_is_left_out() -> None:
    diagnosis = found(sample(LEFT, RIGHT), [says(LEFT)] * 8)
    assert kinds(diagnosis) == ["wrong_target"]
    assert "leave out instance 2" in diagnosis.findings[0].message
    assert [(one.id, one.mask) for one in diagnosis.proposals[0].instances or ()] == [(1, LEFT)]


def test_answers_that_cluster_on_two_things_make_the_question_ambiguous() -> None:
    diagnosis = found(sample(LEFT), [says(LEFT)] * 5 + [says(RIGHT)] * 3)
    assert (kinds(diagnosis), diagnosis.proposals) == (["ambiguous"], ())
    assert "5 of 8 answers mean “it”, 3 of 8 mean “it”" in diagnosis.findings[0].message
    # 2 of 8 is less than 0.45 of 6 of 8: the rest of a policy that is mostly right.
    assert found(sample(LEFT), [says(LEFT)] * 6 + [says(RIGHT)] * 2) == Diagnosis()


def test_an_outline_that_the_answers_draw_elsewhere_is_redrawn() -> None:
    # Boxes (1, 5) and (0, 4): 3 of 5 pixels, as the masks.
    there = row("·####·····")
    diagnosis = found(sample(LEFT), [says(there)] * 8, there)
    assert kinds(diagnosis) == ["boundary"]
    (proposal,) = diagnosis.proposals
    assert proposal.reason is RevisionReason.BOUNDARY
    assert [(one.id, one.mask, one.outline) for one in proposal.instances or ()] == [(1, there, ())]


def test_a_segmenter_that_draws_badly_is_no_fault_of_the_annotation() -> None:
    # The answers' boxes are the annotated one, the segmenter makes half of it.
    half = row("##········")
    assert "boundary" not in kinds(found(sample(LEFT), [says(half, box=(0, 0, 4, 1))] * 8, half))


def test_a_question_that_every_answer_gets_right_is_too_easy() -> None:
    diagnosis = found(sample(LEFT), [says(LEFT)] * 8)
    assert [(one.kind, one.severity) for one in diagnosis.findings] == [("too_easy", "info")]


def test_answers_that_do_not_agree_are_believed_in_nothing() -> None:
    # Of the seven that can be read three see RIGHT, three nothing, one the target: none of it has half of them.
    answers = [says(RIGHT)] * 3 + [says()] * 3 + [says(LEFT)] + [LOST] * 2
    assert kinds(found(sample(LEFT), answers)) == []


def test_a_label_of_any_length_and_kind_can_be_read_in_the_message() -> None:
    label = "a\n\x00cup " + "x" * 5000
    shown = Answer(objects=(Candidate(mask=RIGHT, label=label),))
    diagnosis = found(sample(LEFT), [shown] * 8)
    assert "“a cup xxx" in diagnosis.findings[0].message
    assert len(diagnosis.proposals[0].says) < 200
    (instance,) = diagnosis.proposals[0].instances or ()
    assert len(instance.label) == 100


def test_a_message_about_many_things_is_cut() -> None:
    size = (1, 40)
    things = [Mask.encode(np.arange(40)[None] // 4 == k) for k in range(10)]
    of = sample(*things, size=size)
    of = of.model_copy(update={"instances": tuple(one.model_copy(update={"label": "x" * 200}) for one in of.instances)})
    diagnosis = found(of, [says(things[0])] * 8)
    assert kinds(diagnosis) == ["wrong_target", "never_solved"]
    assert len(diagnosis.proposals[0].says) == 500


def test_of_more_things_than_signals_hold_nothing_is_proposed() -> None:
    size = (1, 40)
    things = [Mask.encode(np.arange(40)[None] // 4 == k) for k in range(10)]
    diagnosis = found(sample(no_target=True, size=size), [says(*things)] * 8)
    assert (kinds(diagnosis), diagnosis.proposals) == (["wrong_target", "never_solved"], ())


def test_too_few_answers_say_nothing() -> None:
    assert found(sample(LEFT), [says(RIGHT)] * 7) == Diagnosis()


def test_of_more_alarms_than_data_can_deserve_the_surest_are_kept() -> None:
    sure, unsure = found(sample(LEFT), [says(RIGHT)] * 8), found(sample(LEFT), [says(RIGHT)] * 6 + [says()] * 2)
    diagnoses = {"a": unsure, "b": sure, "c": unsure, "d": Diagnosis()}
    assert (sure.suspicion, unsure.suspicion) == (1, 0.75)
    # A third of six samples: two; of the equally sure ones the first stays. What is said of the question stays.
    kept = surest(diagnoses, 6, Thresholds(most=1 / 3, few=1))
    assert {key: kinds(one) for key, one in kept.items()} == {
        "a": ["wrong_target", "never_solved"], "b": ["wrong_target", "never_solved"], "c": ["never_solved"], "d": [],
    }  # fmt: skip
    assert [len(one.proposals) for one in kept.values()] == [1, 1, 0, 0]
    # Three are few in any case.
    assert surest(diagnoses, 6, Thresholds(most=1 / 3, few=3)) == diagnoses
