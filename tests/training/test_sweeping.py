import pytest

from tests.training.answers import row, sample
from tests.training.test_candidates import candidates
from tests.training.test_evaluate import Fixed
from whyseg.schemas.errors import UsageError
from whyseg.training.candidates import Voted
from whyseg.training.evaluate import evaluate
from whyseg.training.protocols import protocol_of
from whyseg.training.sweeping import sweep
from whyseg.training.voting import Settings, settings_of

STAR = protocol_of("star")
ONE, TWO = sample(row("########··"), number=1), sample(row("####······"), number=2)
STORED = {
    ONE.id: candidates(ONE.id, "##########", "########··", "########··"),  # 8/10: one cluster from 0.8 on
    TWO.id: candidates(TWO.id, "####······"),
}


def test_every_setting_gets_what_it_scores() -> None:
    # One cluster: of equal scores the larger area wins, 8/10. Two: the one with two votes, 8/8. The other sample: 1.
    apart, together = Settings(), Settings(iou=0.8)
    rows = sweep(Fixed(ONE, TWO), STORED, STAR, [together, apart])
    assert [(one.settings, one.n, one.giou, one.ciou) for one in rows] == [
        (apart, 2, 1.0, 1.0),
        (together, 2, pytest.approx(0.9), 12 / 14),
    ]


def test_it_agrees_with_evaluating_each_setting() -> None:
    data = Fixed(ONE, TWO, sample(row("#·········"), number=3), sample(no_target=True, number=4))
    for row_ in sweep(data, STORED, STAR, list(settings_of())):
        found, _ = evaluate(data, Voted(STORED, row_.settings), STAR)
        assert (row_.n, row_.ciou) == (found.n, found.ciou)
        assert row_.giou == pytest.approx(found.giou)


def test_candidates_for_no_sample_and_no_samples_are_wrong_use() -> None:
    with pytest.raises(UsageError, match="has no sample"):
        sweep(Fixed(ONE), STORED, STAR, [Settings()])
    with pytest.raises(UsageError, match="holds no sample that can be scored"):
        sweep(Fixed(), {}, STAR, [Settings()])
