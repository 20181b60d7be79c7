"""Presets become TRL's settings, field by field; machines change how, not what, is learned."""

from pathlib import Path
from typing import Any

import pytest

from whyseg.schemas.errors import UsageError
from whyseg.training.presets import Preset, load_preset, preset_names
from whyseg.training.settings import Machine, arguments, fitted, plan

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # TRL sets gradient_checkpointing by its old name

# n, keep, learning rate, weight decay, KL, clip below and above, updates a rollout batch: methods' tables.
TABLE = {
    "seg_zero_3b": (8, None, 1e-6, 0.01, 5e-3, 0.2, 0.2, 1),
    "seg_zero_7b": (8, None, 1e-6, 0.01, 5e-3, 0.2, 0.2, 1),
    "sam_r1_7b": (8, None, 1e-6, 0.01, 5e-3, 0.2, 0.3, 2),
    "vision_reasoner_7b": (8, None, 1e-6, 0.01, 1e-2, 0.2, 0.2, 1),
    "star_7b_stage1": (16, None, 1e-5, 1e-3, 0.0, 0.2, 0.2, 1),
    "star_8b_stage1": (16, None, 1e-5, 1e-3, 0.0, 0.2, 0.2, 1),
    "star_7b_stage2": (256, 16, 5e-6, 1e-3, 0.0, 0.2, 0.2, 1),
    "star_8b_stage2": (64, 16, 5e-6, 1e-3, 0.0, 0.2, 0.2, 1),
}


def settings(name: str | Preset, machine: Machine | None = None, **more: Any) -> dict[str, Any]:
    preset = load_preset(name) if isinstance(name, str) else name
    return arguments(preset, machine or Machine(), Path("run"), **{"updates": 10, "save_every": 5, **more})


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_becomes_settings_that_trl_accepts(name: str, tmp_path: Path) -> None:
    from whyseg.training.grpo import RestConfig

    preset, found = load_preset(name), settings(name)
    config = RestConfig(**{**found, "output_dir": str(tmp_path)})
    grpo = preset.grpo
    assert (config.num_generations, config.rest_keep) == (grpo.n, grpo.keep)
    assert (config.learning_rate, config.weight_decay, config.beta) == (grpo.lr, grpo.weight_decay, grpo.beta)
    assert (config.epsilon, config.epsilon_high) == (grpo.clip_low, grpo.clip_high)
    assert config.num_iterations == grpo.updates_per_rollout
    assert (config.loss_type, config.scale_rewards) == ("dapo", "group")
    assert (config.temperature, config.top_p) == (grpo.temperature, grpo.top_p)
    assert config.max_completion_length == grpo.max_completion_tokens
    assert (config.entropy_coef, config.max_grad_norm, config.seed) == (grpo.entropy, grpo.grad_clip, grpo.seed)
    assert (config.rest_rule, config.difficulty_scale) == (grpo.rest_rule, grpo.difficulty_scale)
    assert config.lr_scheduler_type == "constant"
    assert config.use_bias_correction_kl is config.shuffle_dataset is config.remove_unused_columns is False
    # One process samples all prompts of a step at once: so many rollouts, of which keep or n are learned from.
    assert config.generation_batch_size == grpo.prompts_per_step * grpo.n
    assert config.gradient_accumulation_steps == config.steps_per_generation == 1
    if name in TABLE:
        row = (grpo.n, grpo.keep, grpo.lr, grpo.weight_decay, grpo.beta, grpo.clip_low, grpo.clip_high)
        assert (*row, grpo.updates_per_rollout) == TABLE[name]


def test_small_backward_passes_are_added_up() -> None:
    # 16 prompts, 16 kept of 256 each: 256 kept rollouts in slices of 8 are 32 slices. A slice comes from 8 × 256 / 16
    # = 128 sampled rollouts, and 32 × 128 = 4,096 = 16 × 256 are sampled.
    found = settings("star_7b_stage2", Machine(rows=8))
    assert (found["per_device_train_batch_size"], found["steps_per_generation"]) == (128, 32)
    assert found["gradient_accumulation_steps"] == 32


def test_prompts_may_be_sampled_in_turns_and_shared_among_processes() -> None:
    # 16 prompts among 4 processes are 4 each, 2 at once: 2 × 16 kept in slices of 4 are 8 slices, twice an update.
    found = settings("star_7b_stage2", Machine(processes=4, prompts_together=2, rows=4))
    assert (found["per_device_train_batch_size"], found["steps_per_generation"]) == (64, 8)
    assert found["gradient_accumulation_steps"] == 16


@pytest.mark.parametrize(
    ("name", "machine", "message"),
    [
        ("star_7b_stage2", Machine(processes=3), "3 processes do not divide 16 prompts a step"),
        ("star_7b_stage2", Machine(prompts_together=5), "5 at once do not divide them"),
        ("star_7b_stage2", Machine(rows=7), "7 rollouts at once do not divide 256 kept ones; fitting are"),
        ("sam_r1_7b", Machine(prompts_together=4), "2 updates a rollout batch need all of a process's 16 prompts"),
    ],
)
def test_what_does_not_divide_is_refused(name: str, machine: Machine, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        settings(name, machine)


@pytest.mark.parametrize("name", preset_names())
def test_on_a_gpu_what_is_left_open_fits_every_preset(name: str) -> None:
    machine = fitted(load_preset(name), Machine(cuda=True))
    found = settings(name, machine)
    if name.startswith("world"):
        assert machine == Machine(cuda=True)
    else:
        grpo = load_preset(name).grpo
        assert found["per_device_train_batch_size"] * (grpo.keep or grpo.n) == 4 * grpo.n
    assert fitted(load_preset(name), Machine(cuda=True, rows=2, prompts_together=2)).rows == 2
    assert fitted(load_preset(name), Machine()) == Machine()


def test_vllm_beside_the_model_or_on_a_server() -> None:
    assert settings("star_7b_stage1")["use_vllm"] is False
    beside = settings("star_7b_stage1", Machine(vllm="colocate", vllm_memory=0.4))
    assert (beside["vllm_mode"], beside["vllm_gpu_memory_utilization"]) == ("colocate", 0.4)
    server = settings("star_7b_stage1", Machine(vllm="server", vllm_url="http://gpu-2:8000"))
    assert (server["vllm_mode"], server["vllm_server_base_url"]) == ("server", "http://gpu-2:8000")
    from whyseg.training.grpo import RestConfig

    assert RestConfig(**{**beside, "output_dir": "/tmp/unused"}).use_vllm


def test_checkpoints_fall_between_rollout_batches() -> None:
    assert settings("sam_r1_7b", save_every=5)["save_steps"] == 4  # 5 / 2 = 2.5 rounds to 2 batches of 2 updates
    assert settings("sam_r1_7b", save_every=1)["save_steps"] == 2
    assert settings("star_7b_stage1", save_every=5)["save_steps"] == 5


def test_a_plan_covers_every_row_of_its_epochs() -> None:
    # 240 rows, 16 a step, 10 epochs: 150 updates. 5,166 rows, one epoch: 322.875, so 323.
    stage2 = plan(load_preset("star_7b_stage2"), 240)
    assert (stage2.updates, stage2.prompts, stage2.passes) == (150, 2400, 10.0)
    assert plan(load_preset("star_7b_stage1"), 5166).updates == 323
    # Two updates a rollout batch: 3,000 rows are 187.5 batches, so 188 and 376 updates.
    sam_r1 = plan(load_preset("sam_r1_7b"), 3000)
    assert (sam_r1.updates, sam_r1.prompts) == (376, 188 * 16)
    assert plan(load_preset("sam_r1_7b"), 3000, updates=7).prompts == 4 * 16
    assert plan(load_preset("world_cpu"), 10).updates == load_preset("world_cpu").grpo.max_steps
