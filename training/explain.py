"""What a preset does and where it departs from its paper, in words."""

from collections.abc import Iterator

from whyseg.training.presets import Grpo, Preset, RewardSpec
from whyseg.training.rewards.compose import Reward

_PROMPT = "the prompt is in our words, after the structure that the paper describes"
_EVERYWHERE = (
    "target boxes are half-open [xmin, ymin, xmax + 1, ymax + 1]; they are scaled into the canvas of 840 × 840 and not "
    "rounded, as are answers from other frames, and the limits in pixels hold there",
    "a key that repeats within an object makes the answer unreadable; a JSON reader of Python takes the last",
    "TRL's trainer: advantages divide by the group's standard deviation + 1e-4 (EasyR1, on which Seg-Zero, "
    "VisionReasoner and StAR build: 1e-6), and the token-level loss divides by the tokens of a whole step, not of a "
    "micro-batch",
)
_FORM = "lists must hold finite numbers of at most 10⁷; the paper's code counts any list of the right length"
_OF_TERM = {
    "thinking_format": "each tag stands exactly once, where the paper's pattern lets them repeat; white space between "
    "the blocks is optional",
    "segmentation_format": _FORM,
    "answer_format": _FORM + "; more than 120 objects are unreadable, and no object at all scores 0",
    "non_repeat": "only the thinking is looked at, a point between two digits ends no sentence, and empty sentences do "
    "not count; the paper's code splits the whole reply at every point",
    "point_l1": "the second point of a target is computed from its mask where the data has none; a box's edges belong "
    "to it",
    "accuracy": "an object without its point loses only what the point is worth, and targets may hold fractions; the "
    "paper's code scores such an answer or target 0 as a whole",
}
_OF_BOX = "a box whose corners are swapped has IoU 0"
_OF_POINT = "a box's edges belong to it, for a point that must lie inside"
_OF_MASK = (
    "masks come from transformers' SAM 2, or whichever segmenter the run names: of all its candidates the one with the "
    "best predicted IoU; a thing without a mask has IoU 0"
)


def deviations(preset: Preset) -> tuple[str, ...]:
    """Return where a preset departs from its paper: its own lines, those of the terms it uses, the engine's."""
    spec = preset.reward
    lines = [*preset.paper.deviations, *(_OF_TERM[name] for name in spec.active_terms() if name in _OF_TERM)]
    parts = {*spec.active_terms(), *spec.active_pair()}
    lines += [_OF_BOX] * ("bbox_iou" in parts) + [_OF_POINT] * ("point" in parts) + [_OF_MASK] * spec.needs_masks
    lines += [f"ablation: {line}" for line in _ablations(spec)]
    lines += [_PROMPT] * (preset.policy.prompt != "world")
    return (*lines, *_EVERYWHERE)


def explain(preset: Preset) -> str:
    """Return a preset in words: source, policy, reward with its maximum, optimiser, and every deviation."""
    return "\n".join(_lines(preset))


def _lines(preset: Preset) -> Iterator[str]:
    policy, reward = preset.policy, Reward(preset)
    seen = f"squashed to {policy.canvas} × {policy.canvas}" if policy.canvas else "in their own size"
    yield f"{preset.name}: {preset.paper.title}"
    yield f"source: {preset.paper.source}"
    yield f"policy: {policy.model} ({policy.family}), pictures {seen}, coordinates in {policy.frame}"
    other = f" ({policy.evaluation_prompt} in evaluation)" if policy.evaluation_prompt else ""
    yield f"prompt: {policy.prompt}{other}, answered in the shape {policy.answer}"
    yield f"reward: at most {reward.maximum:g}"
    for name, most in reward.maxima.items():
        yield f"  {name}: {most:g}{_detail(name, preset.reward)}"
    yield f"samples: {_taken(preset.reward)}"
    yield from _optimiser(preset.grpo)
    if preset.lora:
        yield f"trained: adapters of rank {preset.lora.r}, alpha {preset.lora.alpha}, on {preset.lora.regex}"
    else:
        yield "trained: all weights"
    if preset.stage:
        yield f"continues: {preset.stage.continues}"
    yield "deviations:"
    yield from (f"  {number}. {line}" for number, line in enumerate(deviations(preset), 1))


def _detail(name: str, spec: RewardSpec) -> str:
    tiers = ", ".join(f"IoU > {limit:g}: {value:g}" for limit, value in spec.tiers)
    if name == "accuracy":
        shown = [f"mask ({tiers})" if part == "mask" else part for part in spec.active_pair()]
        weight = spec.terms["accuracy"]
        return f" = {weight:g} × the best pairs of {' + '.join(shown)}, over the larger count"
    return f" ({tiers})" if name == "mask_iou" else ""


def _taken(spec: RewardSpec) -> str:
    kinds = "one instance" if spec.single_object else "any number of instances"
    return f"{kinds}; questions that nothing answers are {'taken' if spec.no_target else 'left out'}"


def _optimiser(grpo: Grpo) -> Iterator[str]:
    kept = "" if grpo.keep in (None, grpo.n) else f", {grpo.keep} learned from (REST, rule {grpo.rest_rule})"
    length = f"{grpo.epochs:g} epoch(s)" if grpo.epochs else f"{grpo.max_steps} steps"
    yield f"rollouts: {grpo.n} a prompt{kept}, {grpo.prompts_per_step} prompts a step, {length}, seed {grpo.seed}"
    yield (
        f"sampling: temperature {grpo.temperature:g}, top_p {grpo.top_p:g}, prompts up to {grpo.max_prompt_tokens} "
        f"tokens, answers up to {grpo.max_completion_tokens}"
    )
    inert = "; with one update a rollout the ratio is 1 and clipping is inert" * (grpo.updates_per_rollout == 1)
    yield (
        f"optimiser: AdamW, lr {grpo.lr:g}, weight decay {grpo.weight_decay:g}, KL {grpo.beta:g}, entropy "
        f"{grpo.entropy:g}, gradients clipped at {grpo.grad_clip:g}"
    )
    yield (
        f"loss: over all {grpo.loss}s, ratio clipped {grpo.clip_low:g} below and {grpo.clip_high:g} above, "
        f"{grpo.updates_per_rollout} update(s) a rollout{inert}"
    )
    if grpo.difficulty_scale:
        yield "advantages: good answers to hard prompts are raised"


def _ablations(spec: RewardSpec) -> Iterator[str]:
    if not spec.thinking:
        yield "no thinking is asked for or rewarded"
    if spec.geometry != "both":
        yield {"box": "boxes only, no points", "points": "points only, no boxes"}[spec.geometry]
    if spec.format == "soft":
        yield "soft format: any key with bbox, any two with point in them"
    if spec.accuracy == "soft":
        yield "soft accuracy: the IoU itself, and distances on a line to 0 at twice the limit (our reading)"
    if not spec.label:
        yield "no label is asked for or rewarded"
