"""A run's trainer, put together: policy, adapters, rows in their order, rewards, records. Brings torch and TRL."""

import json
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from PIL import Image as PilImage
from transformers import PrinterCallback, TrainerCallback

from whyseg.training.data import TrainData
from whyseg.training.grpo import RestConfig, RestTrainer
from whyseg.training.local_policy import load_network, placeholders
from whyseg.training.mask_reward import Masks
from whyseg.training.policies import CARD, PolicyCard
from whyseg.training.processors import load_processor
from whyseg.training.run import WHOLE, RunFolder, RunRecord, append, is_main, order
from whyseg.training.scoring import Rollout, Scorer
from whyseg.training.settings import arguments

Progress = Callable[[int, int, float], None]  # updates done, of how many, the last one's mean reward
SHOWN = 12  # times in a run that answers are kept to look at
REFERENCE = "ref"  # what TRL calls the copy of adapters that the KL term keeps to, and saves beside them


class Keeper(TrainerCallback):  # type: ignore[misc]
    """Writes a run's curves, tells how far it is, and marks its checkpoints as whole; the first process only."""

    def __init__(self, folder: RunFolder, progress: Progress) -> None:
        self.folder, self.progress = folder, progress

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Add a line of an update's figures; the summary at the end is none."""
        if is_main() and logs and "loss" in logs:
            figures = {key: value for key, value in logs.items() if isinstance(value, int | float)}
            append(self.folder.curves, {"update": state.global_step, **figures})
            self.progress(state.global_step, state.max_steps, figures.get("reward", 0.0))

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Mark a checkpoint: everything of it is written when this is called."""
        if is_main():
            (self.folder.checkpoints / f"checkpoint-{state.global_step}" / WHOLE).touch()


class Shower:
    """Keeps some answers of a run, with their masks: a batch's first row, at ``SHOWN`` times evenly over the run."""

    def __init__(self, folder: RunFolder, updates: int) -> None:
        self.folder, self.every, self.last = folder, max(1, updates // SHOWN), updates - 1

    def __call__(self, update: int, rollouts: Sequence[Rollout]) -> None:
        """Keep the best, the middle and the worst answer to the batch's first row."""
        if not is_main() or (update % self.every and update != self.last):
            return
        own = sorted((one for one in rollouts if one.row == rollouts[0].row), key=lambda one: -one.scored.total)
        for name, one in (("best", own[0]), ("middle", own[len(own) // 2]), ("worst", own[-1])):
            masks = [{"size": mask.size, "counts": mask.counts} for mask in one.masks if mask]
            facts = {"text": one.text, "terms": one.scored.terms, "total": one.scored.total, "iou": one.iou}
            append(self.folder.samples, {"update": update, "row": one.row, "rank": name, **facts, "masks": masks})


def build(
    folder: RunFolder,
    record: RunRecord,
    data: TrainData,
    masks: Masks | None,
    checkpoint: Path | None,
    progress: Progress,
) -> RestTrainer:
    """Return the trainer of a run, ready to start, or to go on from a checkpoint."""
    preset, machine = record.preset, record.machine
    processor = load_processor(record.start.base)
    scorer = Scorer(preset, data, masks, Shower(folder, record.plan.updates))
    plain = arguments(preset, machine, folder.checkpoints, updates=record.plan.updates, save_every=record.save_every)
    unwanted = placeholders(processor)
    plain["seed"] = record.seed
    plain["generation_kwargs"] = (
        {"suppress_tokens": unwanted} if machine.vllm == "off" else {"logit_bias": dict.fromkeys(unwanted, -100.0)}
    )
    network, adapters = _network(record, checkpoint)
    trainer = RestTrainer(
        model=network,
        processing_class=processor,
        reward_funcs=scorer.functions(),
        args=RestConfig(**plain),
        train_dataset=dataset(record, data),
        peft_config=adapters,
        callbacks=[Keeper(folder, progress)],
        judged=scorer.judged if preset.grpo.difficulty_scale else None,
    )
    trainer.remove_callback(PrinterCallback)  # standard output is the command's own
    return trainer


@contextmanager
def quiet() -> Iterator[None]:
    """Keep bars and notices of deprecation within transformers out of the user's sight."""
    from transformers.utils import logging

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.|trl\.")
            warnings.filterwarnings("ignore", message=r".*gradient_checkpointing.*", category=FutureWarning)
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _network(record: RunRecord, checkpoint: Path | None) -> tuple[Any, LoraConfig | None]:
    """Return the model to train, and the adapters that it is still to get."""
    lora, start = record.preset.lora, record.start
    if checkpoint is not None and (checkpoint / "config.json").exists():
        # A whole model. Trainer would load it by the names of its file, which for Qwen2.5-VL are not those of the model
        # in memory, and pass over in silence what it does not find.
        network = load_network(str(checkpoint), half=False)
        network.config.name_or_path = start.base  # what the reference model is loaded from
        return network, None
    network = load_network(start.base, half=record.machine.cuda and lora is not None)
    if start.adapters is not None:
        return PeftModel.from_pretrained(network, start.adapters, is_trainable=True), None
    if lora is None:
        return network, None
    return network, LoraConfig(r=lora.r, lora_alpha=lora.alpha, lora_dropout=0.0, target_modules=lora.regex)


def dataset(record: RunRecord, data: TrainData) -> Dataset:
    """Return the prompts of a run in their order; pictures are opened when they are asked for."""
    prompts = [record.preset.messages(row.query) for row in data.rows]

    def shown(batch: dict[str, list[int]]) -> dict[str, list[Any]]:
        rows = batch["row"]
        pictures = {row: PilImage.fromarray(data.picture(row)) for row in set(rows)}  # a prompt's rollouts share one
        return {"prompt": [prompts[row] for row in rows], "image": [pictures[row] for row in rows], "row": rows}

    rows = order(len(data.rows), record.plan.prompts, record.seed)
    return Dataset.from_dict({"row": rows}).with_transform(shown)


def save(trainer: RestTrainer, folder: RunFolder, record: RunRecord) -> None:
    """Write the trained policy: the whole model, or its adapters, with processor and card."""
    trainer.save_model(str(folder.policy))
    if not is_main():
        return
    shutil.rmtree(folder.policy / REFERENCE, ignore_errors=True)
    trainer.processing_class.save_pretrained(folder.policy)
    adapted = record.preset.lora is not None or record.start.adapters is not None
    base = str(Path(record.start.base).resolve()) if Path(record.start.base).is_dir() else record.start.base
    card = PolicyCard(preset=record.preset, base=base if adapted else None)
    (folder.policy / CARD).write_text(card.model_dump_json(indent=2))


def merge(policy: Path, card: PolicyCard, out: Path) -> None:
    """Write a policy's model with its adapters worked into its weights, as a folder that needs no peft."""
    if card.base is None:
        raise ValueError("the policy has no adapters")
    network = load_network(card.base, half=torch.cuda.is_available())
    merged = PeftModel.from_pretrained(network, str(policy)).merge_and_unload()
    merged.save_pretrained(out)
    load_processor(card.base).save_pretrained(out)
    (out / CARD).write_text(json.dumps(card.model_copy(update={"base": None}).plain(), indent=2))
