"""Presets: a paper's policy, prompt, reward and optimiser settings, from a TOML file that says where it departs.

The shipped ones lie in ``training/configs``; a path to a file of one's own works wherever a preset's name does.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from whyseg.schemas.errors import InvalidRecord, UsageError
from whyseg.schemas.record import Record
from whyseg.training.answers import Shape
from whyseg.training.frames import Frame
from whyseg.training.prompts import STYLES, Geometry, Message, messages

CONFIGS = Path(__file__).parent / "configs"
TermName = Literal[
    "thinking_format",
    "segmentation_format",
    "answer_format",
    "bbox_iou",
    "bbox_l1",
    "point_l1",
    "mask_iou",
    "accuracy",
    "count_bonus",
    "non_repeat",
]
PairName = Literal["mask", "bbox_iou", "bbox_l1", "point"]
SINGLE_TERMS = {"segmentation_format", "bbox_iou", "bbox_l1", "point_l1", "mask_iou"}
LIST_TERMS = {"answer_format", "accuracy", "count_bonus"}
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Paper(Record):
    """Where a preset comes from, and what is not as there; what follows from the reward's terms is said by them."""

    title: str
    source: str
    deviations: tuple[str, ...] = ()


class PolicySpec(Record):
    """The model, its frame, and how it is asked.

    ``canvas``: the picture is squashed to canvas × canvas pixels before the model sees it; none leaves it as it is.
    ``evaluation_prompt``: the one that its authors evaluate with, where that is another.
    """

    model: str
    family: Literal["qwen2_5_vl", "qwen3_vl"]
    frame: str
    canvas: Annotated[int, Field(ge=28, le=4096)] | None = None
    prompt: str
    evaluation_prompt: str | None = None
    answer: Shape

    @field_validator("frame")
    @classmethod
    def _known_frame(cls, name: str) -> str:
        try:
            return Frame.parse(name).name
        except UsageError as error:
            raise InvalidRecord(str(error)) from error

    @field_validator("prompt", "evaluation_prompt")
    @classmethod
    def _known_prompt(cls, name: str | None) -> str | None:
        if name is not None and name not in STYLES:
            raise InvalidRecord(f"no prompt style {name!r}; there are {', '.join(STYLES)}")
        return name


class RewardSpec(Record):
    """The terms and their weights, and the papers' ablation switches, one line each.

    ``pair``: what one matched pair of the term ``accuracy`` is scored by. ``tiers``: (IoU, value), the highest first;
    a mask IoU above the first number is worth the second. ``format``: soft accepts any keys with "bbox" and "point" in
    them. ``accuracy``: soft gives the IoU itself, and of a distance d with limit t 1 − d / 2t, at least 0.
    """

    terms: dict[TermName, Positive]
    pair: tuple[PairName, ...] = ()
    tiers: tuple[tuple[Annotated[float, Field(ge=0, lt=1)], Positive], ...] = ()
    single_object: bool = False
    no_target: bool = False
    thinking: bool = True
    geometry: Geometry = "both"
    format: Literal["strict", "soft"] = "strict"
    accuracy: Literal["hard", "soft"] = "hard"
    label: bool = True

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        other = self.terms.keys() & (LIST_TERMS if self.single_object else SINGLE_TERMS)
        if other:
            kind = "single-object" if self.single_object else "multi-object"
            raise InvalidRecord(f"a {kind} preset has no term {', '.join(sorted(other))}")
        if ("accuracy" in self.terms) != bool(self.pair):
            raise InvalidRecord("the term accuracy needs pair, what a matched pair is scored by, and pair the term")
        if ("mask_iou" in self.terms or "mask" in self.pair) != bool(self.tiers):
            raise InvalidRecord("a mask term needs tiers, and tiers a mask term")
        if list(self.tiers) != sorted(self.tiers, reverse=True):
            raise InvalidRecord(f"tiers run from the highest IoU down, got {self.tiers}")
        if len(set(self.pair)) < len(self.pair):
            raise InvalidRecord(f"pair names a part twice: {', '.join(self.pair)}")
        if not (self.active_terms() and (self.active_pair() or not self.pair)):
            raise InvalidRecord("no term is left after the ablations")
        return self

    def active_terms(self) -> dict[TermName, float]:
        """Return the terms and weights that the ablations leave."""
        gone = {"thinking_format"} if not self.thinking else set[str]()
        gone |= {"both": set[str](), "box": {"point_l1"}, "points": {"bbox_iou", "bbox_l1"}}[self.geometry]
        return {name: weight for name, weight in self.terms.items() if name not in gone}

    def active_pair(self) -> tuple[PairName, ...]:
        """Return the parts of a pair's score that the ablations leave."""
        gone = {"both": set[str](), "box": {"point"}, "points": {"bbox_iou", "bbox_l1"}}[self.geometry]
        return tuple(name for name in self.pair if name not in gone)

    @property
    def needs_masks(self) -> bool:
        """Whether predicted masks are scored."""
        return bool(self.tiers)


class Grpo(Record):
    """Sampling and optimisation.

    ``n`` rollouts a prompt are sampled, ``keep`` of them learned from (none: all); ``epochs`` or ``max_steps``.
    ``loss``: "token" averages over all tokens. With ``updates_per_rollout`` = 1 the ratio is 1 and clipping is inert.
    """

    n: Annotated[int, Field(ge=2)]
    keep: Annotated[int, Field(ge=2)] | None = None
    prompts_per_step: Count
    lr: Positive
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    beta: Annotated[float, Field(ge=0)] = 0.0
    clip_low: Positive = 0.2
    clip_high: Positive = 0.2
    updates_per_rollout: Count = 1
    max_prompt_tokens: Count
    max_completion_tokens: Count
    temperature: Positive = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    entropy: Annotated[float, Field(ge=0)] = 0.0
    grad_clip: Positive = 1.0
    epochs: Positive | None = None
    max_steps: Count | None = None
    loss: Literal["token"] = "token"
    rest_rule: Literal["star", "abs_advantage"] = "star"
    difficulty_scale: bool = False
    seed: int = 42

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.keep is not None and self.keep > self.n:
            raise InvalidRecord(f"keep is at most n = {self.n}, got {self.keep}")
        if (self.epochs is None) == (self.max_steps is None):
            raise InvalidRecord("how long to train is said by epochs or by max_steps, one of the two")
        return self


class Lora(Record):
    """Low-rank adapters on the modules whose full names the regular expression ``regex`` matches."""

    r: Count
    alpha: Count
    regex: str


class Stage(Record):
    """What a run goes on from: another preset's result."""

    continues: str


class Preset(Record):
    """One way of training: paper, policy, reward, optimiser; no ``lora`` means that all weights are trained."""

    name: str
    paper: Paper
    policy: PolicySpec
    reward: RewardSpec
    grpo: Grpo
    lora: Lora | None = None
    stage: Stage | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.policy.answer == "single") != self.reward.single_object:
            raise InvalidRecord('single_object goes with the answer shape "single", and only with it')
        for style in (self.style(), self.style(evaluation=True)):
            if STYLES[style].shape != self.policy.answer:
                raise InvalidRecord(f"the prompt {style} asks for another shape than {self.policy.answer}")
        return self

    @property
    def frame(self) -> Frame:
        """The frame of the policy's answers."""
        return Frame(self.policy.frame)

    def style(self, *, evaluation: bool = False) -> str:
        """Return the name of the prompt that the policy is asked with."""
        return self.policy.evaluation_prompt or self.policy.prompt if evaluation else self.policy.prompt

    def messages(self, query: str, *, evaluation: bool = False) -> list[Message]:
        """Return the conversation that asks this preset's policy, with its ablations."""
        side = int(self.frame.extent((840, 840))[0])
        spec = self.reward
        return messages(
            self.style(evaluation=evaluation),
            query,
            canvas=side,
            evaluation=evaluation,
            thinking=spec.thinking,
            geometry=spec.geometry,
            label=spec.label,
        )


def preset_names() -> tuple[str, ...]:
    """Return the names of the presets that are shipped."""
    return tuple(sorted(path.stem for path in CONFIGS.glob("*.toml")))


def load_preset(name_or_path: str | Path) -> Preset:
    """Return a shipped preset, or that of a TOML file; it is named after its file.

    Raises ``UsageError`` for an unknown name or a file that is no TOML, ``InvalidRecord`` for values that none can
    have.
    """
    path = Path(name_or_path)
    if str(name_or_path) in preset_names():
        path = CONFIGS / f"{name_or_path}.toml"
    elif path.suffix != ".toml":
        raise UsageError(
            f"no preset {str(name_or_path)!r}; there are {', '.join(preset_names())}, or a path to a .toml file"
        )
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    try:
        return Preset.parse({"name": path.stem, **data})
    except InvalidRecord as error:
        raise InvalidRecord(f"{path}: {error}") from error
