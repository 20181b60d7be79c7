"""GRPO with REST: TRL's trainer, of whose rollouts only some are learned from. Imported late: it brings torch and TRL.

One method is overridden, and calls TRL's own first: generation, rewards, log-probabilities, loss, checkpoints, vLLM,
accelerate and LoRA stay TRL's. `tests/training/test_grpo.py` pins what is relied on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from trl import GRPOConfig, GRPOTrainer
from trl.trainer.utils import split_pixel_values_by_grid, unsplit_pixel_values_by_grid

from whyseg.training.rest import RULES, FloatArray, IntArray, advantages_of_kept, kept_rollouts, scaled_for_difficulty

# For each rollout of this process's batch: is it right, and is its mask good enough to be raised on a hard prompt?
Judged = Sequence[tuple[bool, bool]]


@dataclass
class RestConfig(GRPOConfig):  # type: ignore[misc]
    """TRL's settings and three more; ``num_generations`` is how many rollouts are sampled, ``rest_keep`` kept."""

    rest_keep: int | None = field(default=None, metadata={"help": "Rollouts kept of each prompt; none keeps all."})
    rest_rule: str = field(default="star", metadata={"help": f"Which are kept: {' or '.join(RULES)}."})
    difficulty_scale: bool = field(default=False, metadata={"help": "Raise good answers to hard prompts."})

    def __post_init__(self) -> None:
        """Refuse settings under which no whole prompts, or no equal slices of the kept rollouts, would remain."""
        super().__post_init__()
        if self.rest_rule not in RULES:
            raise ValueError(f"rest_rule is {' or '.join(RULES)}, got {self.rest_rule!r}")
        keep, count = self.rest_keep, self.num_generations
        if keep is None and not self.difficulty_scale:
            return
        if keep is not None and not 2 <= keep <= count:
            raise ValueError(f"rest_keep is 2 to num_generations = {count}, got {keep}")
        rows = self.per_device_train_batch_size * self.steps_per_generation
        if rows % count:
            raise ValueError(f"a process generates {rows} rollouts at once: no whole prompts of {count} rollouts")
        kept = rows // count * (keep or count)
        if kept % self.steps_per_generation:
            raise ValueError(f"{kept} kept rollouts do not divide into {self.steps_per_generation} equal batches")
        if self.scale_rewards != "group" or self.multi_objective_aggregation != "sum_then_normalize":
            raise ValueError('advantages over the kept need scale_rewards="group" and the sum of all rewards')


class RestTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer with REST; ``judged`` tells of the batch that was scored last, for the difficulty-aware scale."""

    def __init__(self, *args: Any, judged: Callable[[], Judged] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.args.difficulty_scale and judged is None:
            raise ValueError("difficulty_scale needs to know which rollouts are right: give judged")
        self._judged = judged

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Sample and score as TRL does, then keep what REST keeps; everything when ``rest_keep`` is n or none."""
        out: dict[str, Any] = super()._generate_and_score_completions(inputs)
        count: int = self.num_generations
        keep: int = self.args.rest_keep or count
        if not self.model.training or (keep == count and not self.args.difficulty_scale):
            return out
        groups = out["advantages"].double().cpu().numpy().reshape(-1, count)
        if keep == count:
            kept = np.tile(np.arange(count), (len(groups), 1))
            advantages = groups
        else:
            kept = kept_rollouts(groups, keep, self.args.rest_rule)
            advantages = advantages_of_kept(groups, kept)
        if self.args.difficulty_scale:
            advantages = self._raised(advantages, kept, count)
        self._tell("rest/all_abs_advantage", groups)
        self._tell("rest/kept_abs_advantage", advantages)
        rows = (kept + np.arange(len(groups))[:, None] * count).ravel()
        out = selected(out, rows.tolist())
        out["advantages"] = torch.as_tensor(advantages.ravel()).to(out["advantages"])
        tokens = (out["completion_mask"] * out.get("tool_mask", 1)).sum()
        out["num_items_in_batch"] = self.accelerator.gather(tokens).sum()  # what the token-level loss divides by
        return out

    def _raised(self, advantages: FloatArray, kept: IntArray, count: int) -> FloatArray:
        assert self._judged is not None
        judged = np.array(self._judged(), bool).reshape(-1, count, 2)
        good = np.take_along_axis(judged[:, :, 1], kept, axis=1)
        return scaled_for_difficulty(advantages, good, judged[:, :, 0].mean(1).tolist())

    def _tell(self, name: str, advantages: FloatArray) -> None:
        local = torch.tensor(float(np.abs(advantages).mean()), device=self.accelerator.device)
        self._metrics["train"][name].append(self.accelerator.gather(local).mean().item())


def selected(batch: dict[str, Any], rows: list[int]) -> dict[str, Any]:
    """Return a batch of rollouts with some of its rows; whatever has an entry a rollout is cut, pictures too."""
    split = split_pixel_values_by_grid(batch)  # patches lie end to end, however many a picture has
    count = len(batch["advantages"])
    index = torch.tensor(rows, device=batch["advantages"].device)

    def cut(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and value.ndim and len(value) == count:
            return value[index.to(value.device)]
        if isinstance(value, list) and len(value) == count:
            return [value[row] for row in rows]
        return value

    return unsplit_pixel_values_by_grid({key: cut(value) for key, value in split.items()})  # type: ignore[no-any-return]
