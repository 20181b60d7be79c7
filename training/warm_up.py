"""Supervised warm-up: a policy learns to answer in form, and roughly rightly, before rewards teach it more.

Of each row only the answer's tokens are learnt, and the vision tower stays as it is. The recipe is for policies trained
from nothing within minutes: Muon for the matrices inside, AdamW for all else.
"""

import itertools
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as PilImage
from transformers import AutoModelForImageTextToText

from whyseg.curation.images import RgbArray
from whyseg.schemas.errors import UsageError
from whyseg.training.bars import without_bars
from whyseg.training.frames import Frame
from whyseg.training.processors import load_processor
from whyseg.training.prompts import Message
from whyseg.training.tiny_sight import STEPS as SIGHT
from whyseg.training.tiny_sight import learn_to_see, usual_device
from whyseg.training.world.dataset import PLAIN, WorldItem, samples
from whyseg.training.world.lessons import conversation, reply

STEPS, BATCH, RATE = 700, 16, 1e-2
_LESSONS, _SEED = 5000, 1_000_000  # scenes, and where their seeds begin: far from those that people choose
_ADAM = 0.1  # of Muon's rate, for what AdamW trains
_RISE, _FALL = 0.05, 0.5  # shares of the steps in which the rate rises and falls


@dataclass(frozen=True, eq=False)
class Lesson:
    """One row: a picture, uint8 (H, W, 3) RGB, the conversation that asks, and the text that answers rightly."""

    image: RgbArray
    messages: list[Message]
    answer: str


def lessons_of(items: Iterable[WorldItem], frame: Frame) -> list[Lesson]:
    """Return the world's samples as rows, with right answers in a frame.

    Every second question is put as in evaluation, without its question mark, so that the policy knows both.
    """
    return [
        Lesson(item.image, conversation(item.sample, evaluation=bool(number % 2)), reply(item.sample, frame))
        for number, item in enumerate(items)
    ]


@without_bars()
def warm_up(
    policy: Path,
    lessons: Sequence[Lesson],
    out: Path,
    *,
    steps: int = STEPS,
    seed: int = 0,
    rate: float = RATE,
    batch: int = BATCH,
    told: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Train a policy's folder on rows and write it, with its processor, to the folder ``out``.

    Rows are gone through in random order, again and again. ``rate``: Muon's; AdamW has a tenth of it. The same seed on
    the same machine with the same library versions gives the same weights. ``told`` hears each step's number and loss.
    """
    if len(lessons) < batch:
        raise UsageError(f"a batch of {batch} rows needs as many lessons, got {len(lessons)}")
    torch.set_num_threads(1)  # the order of a sum, and with it the weights, would depend on the number of threads
    torch.manual_seed(seed)
    model = AutoModelForImageTextToText.from_pretrained(policy, local_files_only=True, dtype=torch.float32)
    processor = load_processor(policy, local_files_only=True)
    device = usual_device()
    model.to(device).model.visual.requires_grad_(False)
    optimisers, schedules = _optimisers(model, steps, rate)
    model.train()
    for step, rows in enumerate(itertools.islice(_batches(len(lessons), batch, seed), steps), 1):
        inputs = encoded(processor, [lessons[row] for row in rows])
        loss = model(**{name: value.to(device) for name, value in inputs.items()}).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser, schedule in zip(optimisers, schedules, strict=True):
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
        told(step, float(loss.detach()))
    model.save_pretrained(out)
    processor.save_pretrained(out)


def on_world(
    policy: Path, out: Path, *, side: int, seed: int = 0, told: Callable[[str], None] = lambda text: None
) -> None:
    """Make an untrained policy of `tiny_policy` ready for rewards: it learns to see and to answer the plain world.

    ``side``: of the policy's canvas. ``out``: the new folder. ``told`` hears how far it is, every hundred steps.
    """
    world = PLAIN.model_copy(update={"side": side})

    def tell(what: str, steps: int) -> Callable[[int, float], None]:
        return lambda step, loss: told(f"{what}: step {step} of {steps}, loss {loss:.3f}") if step % 100 == 0 else None

    with tempfile.TemporaryDirectory(dir=out.parent) as between:
        learn_to_see(policy, Path(between), world, seed=seed, told=tell("sight", SIGHT))
        lessons = lessons_of(samples(_LESSONS, _SEED + seed, world), Frame(f"canvas_{side}"))
        warm_up(Path(between), lessons, out, seed=seed, told=tell("warm-up", STEPS))


def _optimisers(model: Any, steps: int, rate: float) -> tuple[list[Any], list[Any]]:
    """Return Muon for the matrices between hidden numbers and AdamW for the rest, each with its schedule."""
    outer = ("embed", "lm_head")
    learnt = [(name, weights) for name, weights in model.named_parameters() if weights.requires_grad]
    inner = [weights for name, weights in learnt if weights.ndim == 2 and not any(word in name for word in outer)]
    others = [weights for _, weights in learnt if all(weights is not one for one in inner)]
    optimisers = [
        torch.optim.Muon(inner, lr=rate, weight_decay=0.01),
        torch.optim.AdamW(others, lr=rate * _ADAM, betas=(0.9, 0.95), weight_decay=0.0),
    ]

    def share(step: int) -> float:
        done = step / steps
        return min(1.0, (done + 1 / steps) / _RISE, max(0.02, (1 - done) / _FALL))

    return optimisers, [torch.optim.lr_scheduler.LambdaLR(one, share) for one in optimisers]


def _batches(rows: int, batch: int, seed: int) -> Iterator[list[int]]:
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(rows).tolist()
        for start in range(0, rows - batch + 1, batch):
            yield order[start : start + batch]


def encoded(processor: Any, lessons: Sequence[Lesson]) -> dict[str, Any]:
    """Return a batch as the model takes it, with labels for the answers' tokens alone."""
    asked = [
        processor.apply_chat_template(_with_picture(row.messages), add_generation_prompt=True, tokenize=False)
        for row in lessons
    ]
    end = processor.tokenizer.eos_token
    inputs = processor(
        images=[[PilImage.fromarray(row.image)] for row in lessons],
        text=[question + row.answer + end for question, row in zip(asked, lessons, strict=True)],
        padding=True,
        padding_side="right",
        return_tensors="pt",
    )
    labels = inputs["input_ids"].clone()
    labels[inputs["attention_mask"] == 0] = -100
    answers = processor.tokenizer([row.answer + end for row in lessons])["input_ids"]
    for label, mask, answer in zip(labels, inputs["attention_mask"], answers, strict=True):
        label[: int(mask.sum()) - len(answer)] = -100
    return {**inputs, "labels": labels}


def _with_picture(messages: Sequence[Message]) -> list[Message]:
    """Return a conversation with the picture before the user's first words."""
    first = next(i for i, message in enumerate(messages) if message["role"] == "user")
    text = {"type": "text", "text": messages[first]["content"]}
    user = {"role": "user", "content": [{"type": "image"}, text]}
    return [*messages[:first], user, *messages[first + 1 :]]
