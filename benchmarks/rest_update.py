"""How long an update takes after REST has kept 16 of 256 rollouts, against learning from all 256.

The world's tiny policy, of Qwen2.5-VL's architecture, samples nothing here: a batch of 256 rollouts to one picture is
made up, with rewards, and goes through `selected` and the trainer's own loss and backward pass, ``--rows`` rollouts at
a time. Selecting is part of what REST takes. Times are processor time.
"""

import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import describe, line
from benchmarks.rows import Budget, Row, faster, options, show, write
from whyseg.training.rest import advantages_of_kept, kept_rollouts, normalised

ROLLOUTS, KEPT, SIDE = 256, 16, 112


def trainer(folder: Path) -> Any:
    """Return a trainer of the world's tiny policy, with everything of a rollout batch on one process."""
    from datasets import Dataset
    from transformers import AutoModelForImageTextToText

    from whyseg.training.grpo import RestConfig, RestTrainer
    from whyseg.training.processors import load_processor
    from whyseg.training.tiny_policy import make_policy

    make_policy(folder / "policy", "cpu", side=SIDE)
    args = RestConfig(
        output_dir=str(folder), per_device_train_batch_size=ROLLOUTS, num_generations=ROLLOUTS, rest_keep=KEPT,
        max_completion_length=128, max_steps=1, use_cpu=True, bf16=False, gradient_checkpointing=False,
        report_to="none", remove_unused_columns=False, beta=0.0,
    )  # fmt: skip
    return RestTrainer(
        model=AutoModelForImageTextToText.from_pretrained(folder / "policy"),
        processing_class=load_processor(folder / "policy"),
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=args,
        train_dataset=Dataset.from_list([{"prompt": [{"role": "user", "content": "what is it"}]}]),
    )


def made_up(run: Any, tokens: int) -> dict[str, Any]:
    """Return a batch of 256 rollouts of so many tokens to one question about one picture, scored."""
    from PIL import Image as PilImage

    picture = PilImage.fromarray(np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8))
    messages = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what holds the tea"}]}]
    prompt = run.processing_class.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    inputs = run.processing_class(
        text=[prompt] * ROLLOUTS, images=[[picture]] * ROLLOUTS, return_tensors="pt", padding=True
    )
    torch.manual_seed(0)
    ids = torch.randint(300, 600, (ROLLOUTS, tokens))
    kinds = torch.cat([inputs["mm_token_type_ids"], torch.zeros_like(ids)], 1)
    rewards = np.random.default_rng(1).integers(0, 14, (1, ROLLOUTS)).astype(float)
    return {
        "prompt_ids": inputs["input_ids"], "prompt_mask": inputs["attention_mask"], "completion_ids": ids,
        "completion_mask": torch.ones_like(ids), "advantages": torch.tensor(normalised(rewards)[0]).float(),
        "num_items_in_batch": torch.tensor(ids.numel()), "pixel_values": inputs["pixel_values"],
        "image_grid_thw": inputs["image_grid_thw"], "num_images": [1] * ROLLOUTS, "mm_token_type_ids": kinds,
    }  # fmt: skip


def kept(batch: dict[str, Any]) -> dict[str, Any]:
    """Return what REST leaves of a batch, as the trainer does it."""
    from whyseg.training.grpo import selected

    groups = batch["advantages"].double().numpy()[None]
    rows = kept_rollouts(groups, KEPT)
    out = selected(batch, rows[0].tolist())
    out["advantages"] = torch.tensor(advantages_of_kept(groups, rows)[0]).float()
    return {**out, "num_items_in_batch": out["completion_mask"].sum()}


def update(run: Any, batch: dict[str, Any], rows: int) -> None:
    """Go forward and backward over a batch, some rows at a time, and take a step."""
    from whyseg.training.grpo import selected

    count = len(batch["advantages"])
    for start in range(0, count, rows):
        part = selected(batch, list(range(start, min(start + rows, count))))
        run._compute_loss(run.model, part).backward()
    run.optimizer.step()
    run.optimizer.zero_grad()


def rows_of(found: dict[str, Any]) -> list[Row]:
    """Return what was found as rows."""
    return [
        Row(
            what=f"an update after REST, {found['kept']} of {found['rollouts']} rollouts", unit="s of processor time",
            value=found["rest_cpu_seconds"], baseline=f"backward over all {found['rollouts']}",
            **faster(found["rest_cpu_seconds"], found["all_cpu_seconds"]), budget=Budget(of="ratio", at_least=5),
        )
    ]  # fmt: skip


def main() -> None:
    parser = options(__doc__, "rest_update")
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    repeats = 1 if asked.quick else asked.repeats
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        run = trainer(Path(folder))
        run.model.train()
        run.create_optimizer()
        run.current_gradient_accumulation_steps = run.args.steps_per_generation
        batch = made_up(run, asked.tokens)
        update(run, kept(batch), asked.rows)  # warm
        times: dict[str, list[float]] = {"rest": [], "all": []}
        for _ in range(repeats):
            for name in times:
                began = time.process_time()
                update(run, kept(batch) if name == "rest" else batch, asked.rows)
                times[name].append(time.process_time() - began)
    rest, every = (float(np.median(times[name])) for name in ("rest", "all"))
    result = {
        "rollouts": ROLLOUTS, "kept": KEPT, "tokens": asked.tokens, "rows_at_once": asked.rows,
        "rest_cpu_seconds": round(rest, 3), "all_cpu_seconds": round(every, 3), "ratio": round(every / rest, 1),
    }  # fmt: skip
    machine, rows = describe("torch", "transformers", "trl"), rows_of(result)
    print(line(machine))
    show(rows)
    write(asked.out, rows, machine, quick=asked.quick, **result)


if __name__ == "__main__":
    main()
