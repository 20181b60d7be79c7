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
    "thinking_format": "each tag stands exactly once, where the paper's pattern lets them repeat",
    "segmentation_format": "lists must hold finite numbers of at most 10⁷, and the answer block alone is read; "
    "Seg-Zero's code counts any list of the right length, in the first braces of the whole reply",
    "answer_format": _FORM + "; more than 120 objects are unreadable, where the paper's code looks at the first 120",
    "non_repeat": "only the thinking is looked at, and a point between two digits ends no sentence; the paper's code "
    "splits the whole reply at every point",
    "point_l1": "the second point of a target is computed from its mask where the data has none; points keep their "
    "fractions, which Seg-Zero's code cuts off",
    "accuracy": "an object without its point loses only what the point is worth, and targets may hold fractions; the "
    "paper's code scores such an answer or target 0 as a whole",
}
_OF_MASK = (
    "masks come from transformers' SAM 2 (2.1 large, or whichever segmenter the run names): of all four candidates the "
    "one with the best predicted IoU, where the papers' code looks at three; a thing without a mask has IoU 0"
)
_OF_KL = "a token's KL estimate has no bound; EasyR1 cuts it at 10"


def deviations(preset: Preset) -> tuple[str, ...]:
    """Return where a preset departs from its paper: its own lines, those of the terms it uses, the engine's."""
    spec = preset.reward
    lines = [*preset.paper.deviations, *(_OF_TERM[name] for name in spec.active_terms() if name in _OF_TERM)]
    lines += [_OF_MASK] * spec.needs_masks + [_OF_KL] * (preset.grpo.beta > 0)
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
