"""Worked by hand on rows of ten pixels; and against voting written plainly on pixels."""

from typing import Any

import numpy as np
import pytest

from tests.training.answers import ROW, row
from tests.training.dense_voting import dense_vote
from whyseg.schemas import Mask
from whyseg.schemas.errors import SizeMismatch
from whyseg.training.voting import Answer, Ballots, Candidate, Settings, consensus, settings_of, vote


def said(*texts: str, score: float = 0.5, label: str | None = None) -> Answer:
    return Answer(objects=tuple(Candidate(mask=row(text), score=score, label=label) for text in texts))


LOST = Answer(parsed=False, objects=(Candidate(mask=row("##########")),))
NOTHING = Answer()


def shown(mask: Mask | None) -> str:
    assert mask is not None
    return "".join("·#"[int(pixel)] for pixel in mask.decode()[0])


def test_without_a_readable_answer_there_is_none() -> None:
    found = vote([LOST, LOST], ROW)
    assert (found.outcome, found.mask, found.agreement, found.valid, found.clusters) == ("failed", None, 0, 0, ())
    assert vote([], ROW).outcome == "failed"


def test_an_answer_that_cannot_be_read_abstains_and_its_objects_do_not_count() -> None:
    found = vote([LOST, LOST, LOST, said("####······")], ROW)
    assert (found.valid, found.agreement, shown(found.mask)) == (1, 1.0, "####······")


def test_half_of_the_votes_for_nothing_are_enough() -> None:
    found = vote([NOTHING, said("####······"), LOST], ROW)
    assert (found.outcome, found.agreement, found.mask) == ("no_object", 0.5, Mask.empty(ROW))
    assert vote([NOTHING, said("####······"), said("####······")], ROW).outcome == "mask"
    assert vote([NOTHING, said("####······")], ROW, Settings(no_object=0.6)).outcome == "mask"


def test_the_number_of_objects_is_the_most_frequent_one() -> None:
    two = said("####······", "······####")
    found = vote([two, two, said("####······"), NOTHING], ROW)
    assert (found.count, shown(found.mask)) == (2, "####··####")
    found = vote([two, said("####······"), said("####······"), NOTHING], ROW)
    assert (found.count, shown(found.mask)) == (1, "####······")


def test_of_equally_frequent_numbers_the_first_counts() -> None:
    one, two = said("####······"), said("####······", "······####")
    assert vote([two, one], ROW).count == 2
    assert vote([one, two], ROW).count == 1


def test_a_candidate_is_compared_with_the_first_member_alone() -> None:
    # #1 and #2: IoU 9/10. #3 with #1: 8/10, below 0.85, though 8/9 with #2: a cluster of its own.
    answers = [said("##########"), said("#########·"), said("########··")]
    assert [one.members for one in vote(answers, ROW).clusters] == [((0, 0), (1, 0)), ((2, 0),)]
    # In another order the first is in the middle: 9/10 and 8/9.
    answers = [answers[1], answers[0], answers[2]]
    assert [one.members for one in vote(answers, ROW).clusters] == [((0, 0), (1, 0), (2, 0))]


def test_an_iou_of_exactly_the_threshold_joins() -> None:
    answers = [said("##########"), said("########··")]  # 8/10
    assert len(vote(answers, ROW, Settings(iou=0.8)).clusters) == 1
    assert len(vote(answers, ROW, Settings(iou=0.81)).clusters) == 2


def test_empty_masks_are_alike_to_nothing() -> None:
    answers = [said("··········"), said("··········")]
    assert len(vote(answers, ROW).clusters) == 2


def test_an_answer_that_says_the_same_twice_has_one_vote() -> None:
    found = vote([said("####······", "####······"), said("······####"), said("······####")], ROW)
    assert [(one.votes, shown(one.mask)) for one in found.clusters] == [(2, "······####"), (1, "####······")]
    assert found.clusters[1].ratio == pytest.approx(1 / 3)


def test_clusters_with_few_votes_drop_out_unless_all_would() -> None:
    two = said("####······", "······####")
    answers = [two, *[said("####······", f"{'·' * k}#{'·' * (9 - k)}") for k in range(4, 10)]]
    # Of 7 answers each other object has 1 vote, 0.143 < 0.2: one object is left though two are wanted.
    assert (vote(answers, ROW).count, shown(vote(answers, ROW).mask)) == (2, "####······")
    alone = [said(f"{'·' * k}#{'·' * (9 - k)}", score=k / 10) for k in range(10)]
    found = vote(alone, ROW)  # 0.1 each: nothing is left, so all stay, and the best score wins
    assert (found.count, shown(found.mask), found.agreement) == (1, "·········#", 0.1)


def test_the_mean_score_decides_between_equal_votes_and_the_order_between_equal_scores() -> None:
    assert shown(vote([said("####······", score=0.4), said("······####", score=0.6)], ROW).mask) == "······####"
    assert shown(vote([said("####······"), said("······####")], ROW).mask) == "####······"


def test_the_best_member_has_the_highest_score_then_the_largest_area() -> None:
    answers = [said("#########·", score=0.5), said("##########", score=0.4), said("·#########", score=0.3)]
    assert shown(vote(answers[:2], ROW).mask) == "#########·"
    answers = [said("#########·", score=0.5), said("##########", score=0.5)]
    assert shown(vote(answers, ROW).mask) == "##########"


def test_a_consensus_weighs_by_score() -> None:
    # Pixel 9: 0.5 of 1.4 = 0.36; pixel 0: 0.9 of 1.4 = 0.64
    answers = [said("#########·", score=0.9), said("·#########", score=0.5)]
    settings = {share: Settings(mode="consensus", pixels=share, iou=0.7) for share in (0.3, 0.5, 0.7)}
    assert {share: shown(vote(answers, ROW, one).mask) for share, one in settings.items()} == {
        0.3: "##########",
        0.5: "#########·",
        0.7: "·########·",
    }


def test_a_pixel_with_exactly_the_share_belongs_to_the_consensus() -> None:
    masks = [row("####······")] * 7 + [row("··########")] * 7
    assert shown(consensus(masks, [0.9] * 14, 0.5)) == "##########"


def test_scores_without_a_positive_one_count_alike() -> None:
    assert shown(consensus([row("####······"), row("··####····"), row("··##······")], [0, -1, 0], 0.6)) == "··##······"


def test_a_clusters_label_is_its_most_frequent_one() -> None:
    answers = [said("####······", label=label) for label in ("cup", "mug", "mug", None)]
    assert vote(answers, ROW).clusters[0].label == "mug"
    assert vote([said("####······")], ROW).clusters[0].label == ""


def test_the_agreement_is_the_mean_share_behind_what_was_chosen() -> None:
    both, one = said("####······", "······####"), said("####······")
    found = vote([both, both, one], ROW)  # two objects, with 3/3 and 2/3
    assert found.agreement == pytest.approx(5 / 6)
    assert [cluster.chosen for cluster in found.clusters] == [True, True]


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(SizeMismatch, match="object 0 of answer 1"):
        vote([NOTHING, Answer(objects=(Candidate(mask=Mask.empty((2, 2))),))], ROW)


def test_the_grid_is_the_papers_and_pixels_vary_with_the_consensus_alone() -> None:
    grid = list(settings_of())
    assert len(grid) == 3 * 3 * 4 * (1 + 3)
    assert Settings() in grid


def made_up(random: np.random.Generator, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Return answers that mean some of a few objects, each a little differently."""
    ys, xs = np.mgrid[: size[0], : size[1]]
    centres = random.uniform(5, min(size) - 5, (3, 2))
    answers, readable = [], random.choice([0.1, 0.9])
    for _ in range(int(random.integers(1, 14))):
        things = []
        for y, x in centres[random.random(3) < random.random()]:
            dy, dx, radius = random.normal(0, 0.5), random.normal(0, 0.5), random.normal(6, 0.3)
            mask = (ys - y - dy) ** 2 + (xs - x - dx) ** 2 <= radius**2
            score = float(random.choice([0.0, 0.5, 0.9, random.random()]))
            things.append({"mask": mask, "score": score, "label": str(random.choice(["a", "b"]))})
        answers.append({"parsed": bool(random.random() < readable), "objects": things})
    return answers


def test_it_agrees_with_voting_on_pixels_for_all_settings() -> None:
    random, outcomes = np.random.default_rng(1), set[str]()
    for _ in range(25):
        size = (int(random.integers(20, 40)), int(random.integers(20, 40)))
        plain = made_up(random, size)
        answers = [
            Answer.parse(
                {
                    "parsed": one["parsed"],
                    "objects": [{**thing, "mask": Mask.encode(thing["mask"])} for thing in one["objects"]],
                }
            )
            for one in plain
        ]
        ballots = Ballots(answers, size)
        for settings in settings_of():
            found, expected = ballots.vote(settings), dense_vote(plain, size, settings)
            outcomes.add(found.outcome)
            if expected is None:
                assert found.mask is None
            else:
                assert found.mask == Mask.encode(expected)
    assert outcomes == {"mask", "no_object", "failed"}
