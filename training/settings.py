"""From a preset and a machine to TRL's settings: one pure function, so that it can be tested without either."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from whyseg.schemas.errors import UsageError
from whyseg.schemas.record import Record
from whyseg.training.presets import Preset

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]


class Machine(Record):
    """What a run has to work with; what is learned does not depend on it, but for rounding.

    ``processes``: how many share the work, as accelerate starts them. ``prompts_together``: of how many prompts a
    process samples all rollouts at once; none takes all of its share of a step. ``rows``: how many rollouts go through
    a backward pass at once; none takes all that were sampled together. ``vllm``: who samples, the model itself, vLLM
    in the same process, or a vLLM server at ``vllm_url``.
    """

    processes: Count = 1
    prompts_together: Count | None = None
    rows: Count | None = None
    cuda: bool = False
    bf16: bool = False
    checkpointing: bool = False
    vllm: Literal["off", "colocate", "server"] = "off"
    vllm_memory: Annotated[float, Field(gt=0, lt=1)] = 0.3
    vllm_url: str | None = None


class Plan(Record):
    """How long a run is: optimiser updates, and how many prompts that takes; ``passes``: times over the data."""

    updates: Count
    prompts: Count
    passes: Positive


def plan(preset: Preset, rows: int, *, updates: int | None = None) -> Plan:
    """Return how long a preset trains on so many rows; ``updates`` shortens or lengthens it.

    A rollout batch is ``prompts_per_step`` prompts and ``updates_per_rollout`` updates. Epochs are rounded up to whole
    rollout batches, so that no row goes unseen.
    """
    grpo = preset.grpo
    if updates is None:
        updates = grpo.max_steps
    if updates is None:
        batches = math.ceil(rows * (grpo.epochs or 1) / grpo.prompts_per_step)
        updates = batches * grpo.updates_per_rollout
    prompts = math.ceil(updates / grpo.updates_per_rollout) * grpo.prompts_per_step
    return Plan(updates=updates, prompts=prompts, passes=prompts / rows)


def fitted(preset: Preset, machine: Machine) -> Machine:
    """Return a machine with what was left open filled in for a large policy on a GPU: a prompt, four rows at a time."""
    if not machine.cuda or preset.policy.model.startswith("world-"):
        return machine
    alone = 1 if preset.grpo.updates_per_rollout == 1 else None
    together = machine.prompts_together or alone
    return machine.model_copy(update={"prompts_together": together, "rows": machine.rows or 4})


def arguments(preset: Preset, machine: Machine, folder: Path, *, updates: int, save_every: int) -> dict[str, Any]:
    """Return the arguments of `whyseg.training.grpo.RestConfig` for a preset on a machine.

    ``folder``: where checkpoints go. Rows of the data set come in the order of training, so nothing is shuffled here.
    Raises ``UsageError`` where the machine does not divide the preset's batch.
    """
    grpo = preset.grpo
    keep = grpo.keep or grpo.n
    batch = _batch(preset, machine)
    save_every = max(1, round(save_every / grpo.updates_per_rollout)) * grpo.updates_per_rollout
    found: dict[str, Any] = {
        "output_dir": str(folder),
        "num_generations": grpo.n,
        "rest_keep": grpo.keep,
        "rest_rule": grpo.rest_rule,
        "difficulty_scale": grpo.difficulty_scale,
        "per_device_train_batch_size": batch["rows"] * grpo.n // keep,
        "steps_per_generation": batch["slices"],
        "gradient_accumulation_steps": batch["slices"] * batch["turns"],
        "num_iterations": grpo.updates_per_rollout,
        "max_steps": updates,
        "learning_rate": grpo.lr,
        "lr_scheduler_type": "constant",
        "warmup_steps": 0,
        "weight_decay": grpo.weight_decay,
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "max_grad_norm": grpo.grad_clip,
        "beta": grpo.beta,
        "use_bias_correction_kl": False,  # the plain k3 estimator
        "epsilon": grpo.clip_low,
        "epsilon_high": grpo.clip_high,
        "loss_type": {"token": "dapo"}[grpo.loss],
        "scale_rewards": "group",
        "entropy_coef": grpo.entropy,
        "max_completion_length": grpo.max_completion_tokens,
        "temperature": grpo.temperature,
        "top_p": grpo.top_p,
        "seed": grpo.seed,
        "shuffle_dataset": False,
        "remove_unused_columns": False,
        "bf16": machine.bf16,
        "use_cpu": not machine.cuda,
        "gradient_checkpointing": machine.checkpointing,
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": save_every,
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
    }
    return found | _vllm(machine)


def _batch(preset: Preset, machine: Machine) -> dict[str, int]:
    """Return the kept rollouts of a backward pass, how many such slices a generation has, and generations an update."""
    grpo, keep = preset.grpo, preset.grpo.keep or preset.grpo.n
    share, rest = divmod(grpo.prompts_per_step, machine.processes)
    if rest:
        raise UsageError(f"{machine.processes} processes do not divide {grpo.prompts_per_step} prompts a step")
    together = machine.prompts_together or share
    if share % together:
        raise UsageError(f"a process has {share} prompts a step: {together} at once do not divide them")
    if grpo.updates_per_rollout > 1 and together < share:
        raise UsageError(
            f"{grpo.updates_per_rollout} updates a rollout batch need all of a process's {share} prompts at once"
        )
    kept = together * keep
    rows = machine.rows or kept
    if kept % rows or rows * grpo.n % keep:
        fits = [count for count in range(1, kept + 1) if kept % count == 0 and count * grpo.n % keep == 0]
        raise UsageError(f"{rows} rollouts at once do not divide {kept} kept ones; fitting are {fits}")
    return {"rows": rows, "slices": kept // rows, "turns": share // together}


def _vllm(machine: Machine) -> dict[str, Any]:
    if machine.vllm == "off":
        return {"use_vllm": False}
    found: dict[str, Any] = {"use_vllm": True, "vllm_mode": machine.vllm}
    if machine.vllm == "colocate":
        return found | {"vllm_gpu_memory_utilization": machine.vllm_memory}
    return found | ({"vllm_server_base_url": machine.vllm_url} if machine.vllm_url else {})
