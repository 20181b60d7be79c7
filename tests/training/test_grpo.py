"""What whyseg relies on in TRL, and that REST learns from exactly the rollouts that it keeps."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from trl import GRPOTrainer
from trl.trainer import utils

from tests.training.tiny_trainer import settings, trained, trainer
from whyseg.training.grpo import RestTrainer
from whyseg.training.rest import advantages_of_kept, kept_rollouts

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("model") / "qwen"


def scored(run: Any, parent: Any = GRPOTrainer) -> tuple[dict[str, Any], dict[str, Any], list[int]]:
    """Run one batch; return it as TRL made it, as it was kept, and which prompt each rollout answers."""
    whole: dict[str, Any] = {}
    rows: list[int] = []
    stock = parent._generate_and_score_completions

    def watched(self: Any, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        out: dict[str, Any] = stock(self, inputs)
        whole.update(out)
        rows.extend(entry["row"] for entry in inputs)
        return out

    parent._generate_and_score_completions = watched
    try:
        run.model.train()
        batch = next(iter(run.get_train_dataloader()))
        kept = run._generate_and_score_completions(batch)
    finally:
        parent._generate_and_score_completions = stock
    return whole, kept, rows


def test_trl_has_what_is_relied_on() -> None:
    assert list(inspect.signature(GRPOTrainer._generate_and_score_completions).parameters) == ["self", "inputs"]
    assert list(inspect.signature(GRPOTrainer._compute_loss).parameters) == ["self", "model", "inputs"]
    expected = ["self", "inputs", "prompts", "completions", "completion_ids_list"]
    assert list(inspect.signature(GRPOTrainer._calculate_rewards).parameters) == expected
    assert [name for name in vars(RestTrainer) if name in vars(GRPOTrainer) and not name.startswith("__")] == [
        "_generate_and_score_completions"
    ]
    source = inspect.getsource(GRPOTrainer._generate_and_score_completions)
    assert "advantages / (std_rewards + 1e-4)" in source  # rest.EPSILON
    assert "generate_every = self.args.steps_per_generation * self.num_iterations" in source
    for name in ("split_pixel_values_by_grid", "unsplit_pixel_values_by_grid"):
        assert list(inspect.signature(getattr(utils, name)).parameters) == ["batch"]


def test_keeping_every_rollout_is_stock_trl_bit_for_bit(model: Path, tmp_path: Path) -> None:
    stock, own = (trained(trainer(model, settings(tmp_path, rest_keep=keep), kind=kind))
                  for kind, keep in ((GRPOTrainer, None), (RestTrainer, 8)))  # fmt: skip
    assert stock[0] == own[0]
    assert len(stock[1]) == len(own[1]) > 0
    assert all(torch.equal(one, other) for one, other in zip(stock[1], own[1], strict=True))


def test_rows_images_and_log_probabilities_stay_together(model: Path, tmp_path: Path) -> None:
    run = trainer(model, settings(tmp_path, rest_keep=3, num_iterations=2))
    whole, kept, prompts = scored(run)
    assert len(set(prompts)) == 2
    groups = whole["advantages"].double().numpy().reshape(2, 8)
    chosen = kept_rollouts(groups, 3)
    rows = [8 * group + int(row) for group in range(2) for row in chosen[group]]
    patches = whole["image_grid_thw"].prod(-1).tolist()
    assert len({patches[row] for row in rows}) == 2, "pictures of one size would not show a mix-up"
    starts = [sum(patches[:row]) for row in range(16)]
    pictures = torch.cat([whole["pixel_values"][starts[row] : starts[row] + patches[row]] for row in rows])
    assert torch.equal(kept["pixel_values"], pictures)
    names = ("prompt_ids", "completion_ids", "completion_mask", "image_grid_thw", "old_per_token_logps",
             "ref_per_token_logps", "mm_token_type_ids")  # fmt: skip
    for name in names:
        assert torch.equal(kept[name], whole[name][rows]), name
    assert kept["num_images"] == [1] * 6
    expected = torch.as_tensor(advantages_of_kept(groups, chosen).ravel(), dtype=torch.float32)
    assert torch.equal(kept["advantages"], expected)
    assert int(kept["num_items_in_batch"]) == int(whole["completion_mask"][rows].sum())
    assert set(kept) == set(whole)


def test_kept_log_probabilities_are_those_of_the_kept_texts(model: Path, tmp_path: Path) -> None:
    run = trainer(model, settings(tmp_path, rest_keep=4, num_iterations=2))
    _, kept, _ = scored(run)
    ids = torch.cat([kept["prompt_ids"], kept["completion_ids"]], 1)
    mask = torch.cat([kept["prompt_mask"], kept["completion_mask"]], 1)
    pictures = {name: kept[name] for name in ("pixel_values", "image_grid_thw", "num_images", "mm_token_type_ids")}
    with torch.no_grad():
        anew, _, _ = run._get_per_token_logps_and_entropies(
            run.model, ids, mask, kept["completion_ids"].size(1), **pictures
        )
    inside = kept["completion_mask"].bool()
    assert torch.allclose(anew[inside], kept["old_per_token_logps"][inside], atol=1e-4)


def test_small_batches_added_up_are_one_large_batch(model: Path, tmp_path: Path) -> None:
    whole = trained(trainer(model, settings(tmp_path, rest_keep=4)))
    parts = settings(tmp_path, rest_keep=4, per_device_train_batch_size=4, gradient_accumulation_steps=4)
    split = trained(trainer(model, parts))
    assert whole[0] == pytest.approx(split[0], abs=1e-6)
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(whole[1], split[1], strict=True))


def test_the_difficulty_scale_raises_good_answers_to_hard_prompts_only(model: Path, tmp_path: Path) -> None:
    judged = [(False, True)] * 8 + [(True, True)] * 8  # nothing of the first prompt is right, all of the second
    run = trainer(model, settings(tmp_path, difficulty_scale=True), judged=lambda: judged)
    whole, kept, _ = scored(run)
    raised = whole["advantages"].clone()
    raised[:8] = torch.where(raised[:8] > 0, raised[:8] * 2, raised[:8])
    assert torch.allclose(kept["advantages"], raised)
    with pytest.raises(ValueError, match="difficulty_scale needs to know"):
        trainer(model, settings(tmp_path, difficulty_scale=True))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rest_keep": 1}, "rest_keep is 2 to num_generations = 8, got 1"),
        ({"rest_keep": 9}, "rest_keep is 2 to num_generations = 8, got 9"),
        ({"rest_keep": 4, "rest_rule": "best"}, "rest_rule is star or abs_advantage, got 'best'"),
        ({"rest_keep": 3, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 4}, "6 kept rollouts"),
        ({"rest_keep": 4, "scale_rewards": "none"}, 'scale_rewards="group"'),
    ],
)
def test_settings_that_cannot_be_are_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(tmp_path, **changed)
