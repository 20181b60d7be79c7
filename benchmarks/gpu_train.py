"""What a step of each preset costs on a GPU, at real size, with random weights: no download is needed.

The policy has the shape of Qwen2.5-VL-3B or -7B, the segmenter that of SAM 2.1 Hiera-L; both are random. One prompt
group on a picture of 840 × 840 goes through TRL as in a run: sampling n answers of ``--tokens`` tokens, masks and
rewards, the update over the kept ones. Random text earns nothing, so rewards are measured on made-up answers with an
object each. Two groups go through, and the second is measured: seconds, tokens a second, peak memory and whether that
fits on a card of 80 GB. A whole step is extrapolated, prompts times one group.

Each preset has a process of its own, and what is known is written after each. One that fails, is cut off or no longer
fits into ``--minutes`` is written down with the reason; what it printed lies in ``--logs``.

``--tiny`` runs the same with tiny shapes on a CPU: a check of this script, no measurement.
"""

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import describe
from benchmarks.parts import ROOT, Parts
from whyseg import data as packaged
from whyseg.curation.segmenters.sam2 import Sam2Segmenter
from whyseg.schemas import Mask
from whyseg.training.data import DataFacts, TrainData, TrainRow
from whyseg.training.grpo import RestConfig, RestTrainer
from whyseg.training.local_policy import placeholders
from whyseg.training.mask_reward import Masks
from whyseg.training.presets import Preset, load_preset
from whyseg.training.scoring import Scorer
from whyseg.training.settings import Machine, arguments
from whyseg.training.targets import Target, TargetInstance

OUT = Path(__file__).parent / "results" / "gpu_train.json"
MODULE = "gpu_train"
PRESETS = ("seg_zero_3b", "vision_reasoner_7b", "sam_r1_7b", "star_7b_stage1", "star_7b_stage2")
ROWS = 4  # rollouts of a backward pass
BATCHES = 2  # the second is measured
CARD_GIB = 78.0  # what a card of 80 GB has for a process's tensors, its own context taken off
LORA = {"r": 64, "alpha": 64, "regex": r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"}
# Text: width, layers, heads, key-value heads, inner width, vocabulary, tied embeddings.
SHAPES = {
    "3b": (2048, 36, 16, 2, 11008, 151936, True),
    "7b": (3584, 28, 28, 4, 18944, 152064, False),
    "tiny": (128, 2, 4, 2, 256, 2000, False),
}


def policy(folder: Path, shape: str) -> Any:
    """Return a random Qwen2.5-VL of a shape, in half precision on a GPU; its processor is the world's policy's."""
    from transformers import AutoConfig, Qwen2_5_VLForConditionalGeneration

    width, layers, heads, keys, inner, words, tied = SHAPES[shape]
    config = AutoConfig.from_pretrained(folder)
    sections = [16, 24, 24] if shape != "tiny" else [4, 6, 6]
    text = {
        "hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": keys,
        "intermediate_size": inner, "vocab_size": words, "max_position_embeddings": 32_768, "layer_types": None,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": sections},
    }  # fmt: skip
    vision: dict[str, Any] = {"out_hidden_size": width}
    if shape != "tiny":
        vision |= {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16,
                   "fullatt_block_indexes": [7, 15, 23, 31]}  # fmt: skip
    plain = config.to_dict()
    plain["text_config"] |= text
    plain["vision_config"] |= vision
    plain["tie_word_embeddings"] = tied
    made = type(config)(**{key: value for key, value in plain.items() if key != "architectures"})
    cuda = torch.cuda.is_available()
    torch.set_default_dtype(torch.bfloat16 if cuda else torch.float32)
    try:
        with torch.device("cuda" if cuda else "cpu"):
            network = Qwen2_5_VLForConditionalGeneration(made)
    finally:  # a model that does not fit must not leave the next one's numbers half as long
        torch.set_default_dtype(torch.float32)
    settings = network.generation_config
    settings.eos_token_id, settings.pad_token_id = made.text_config.eos_token_id, made.text_config.pad_token_id
    return network


def segmenter(folder: Path, tiny: bool) -> Sam2Segmenter:
    """Return SAM 2.1 Hiera-L's shape with random weights, or the packaged test model."""
    if tiny:
        return Sam2Segmenter(packaged.path("models/tiny_sam2"), "tiny-test")
    from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model, Sam2VisionConfig

    backbone = Sam2HieraDetConfig(
        hidden_size=144, num_attention_heads=2, blocks_per_stage=[2, 6, 36, 4],
        embed_dim_per_stage=[144, 288, 576, 1152],
        num_attention_heads_per_stage=[2, 4, 8, 16], window_size_per_stage=[8, 4, 16, 8],
        global_attention_blocks=[23, 33, 43], window_positional_embedding_background_size=[7, 7],
    )  # fmt: skip
    vision = Sam2VisionConfig(backbone_config=backbone, backbone_channel_list=[1152, 576, 288, 144])
    Sam2Model(Sam2Config(vision_config=vision)).save_pretrained(folder)
    return Sam2Segmenter(folder, "hiera-large, random weights")


def some_rows(folder: Path, preset: Preset) -> TrainData:
    """Return data of a question a rollout batch, each about a random picture of its own, of the preset's canvas."""
    from whyseg.curation.formats.geometry import picture_png

    side = preset.policy.canvas or 840
    inside = np.zeros((side, side), bool)
    inside[side // 4 : side // 2, side // 3 : side // 2] = True
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    target = Target(size=(side, side), instances=(TargetInstance.of_mask(Mask.encode(inside), "thing"),))
    rows = []
    for number in range(BATCHES):
        (folder / f"{number}.png").write_bytes(picture_png(rng.integers(0, 255, (side, side, 3), np.uint8)))
        rows.append(TrainRow(ref=str(number), query="what keeps the rain off?", image=f"{number}.png", target=target))
    facts = DataFacts(source="made up", layout="none", split="train", hash="", rows=BATCHES, left_out=0)
    return TrainData(folder, tuple(rows), (), facts)


class MadeUp(Scorer):
    """Scores as a run does, but an answer with an object of its own in the place of each random text."""

    def score(self, rows: Any, texts: Any) -> Any:
        side = self.preset.policy.canvas or 840
        rng = np.random.default_rng(len(texts))
        return super().score(rows, [self._text(*rng.integers(0, side // 2, 4).tolist()) for _ in texts])

    def _text(self, x: int, y: int, w: int, h: int) -> str:
        box, point = [x, y, x + w + 8, y + h + 8], [x + w // 2, y + h // 2]
        if self.preset.reward.single_object:
            answer: Any = {"bbox": box, "points_1": point, "points_2": point}
        else:
            answer = [{"label": "thing", "bbox_2d": box, "point_2d": point}]
        return f"<think>a thing</think><answer>{json.dumps(answer)}</answer>"


class Timed(RestTrainer):
    """Notes the seconds of its parts, for each rollout batch: the first one warms kernels and caches up."""

    uses: int
    seconds: list[dict[str, float]]

    def _generate(self, prompts: Any) -> Any:
        return self._noted("rollout", super()._generate, prompts)

    def _calculate_rewards(self, *given: Any) -> Any:
        return self._noted("reward", super()._calculate_rewards, *given)

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        return self._noted("sampling_and_scoring", super()._generate_and_score_completions, inputs)

    def training_step(self, *given: Any, **named: Any) -> Any:
        return self._noted("step", super().training_step, *given, **named)

    def _noted(self, name: str, function: Any, *given: Any, **named: Any) -> Any:
        batch = self.state.global_step // self.uses
        wait()
        began = time.perf_counter()
        found = function(*given, **named)
        wait()
        own = self.seconds[min(batch, len(self.seconds) - 1)]
        own[name] = own.get(name, 0.0) + time.perf_counter() - began
        return found


def wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def measured(preset: Preset, shape: str, masks: Masks, folder: Path, tokens: int) -> dict[str, Any]:
    """Run one group of a preset through TRL; return what it took."""
    from datasets import Dataset
    from peft import LoraConfig
    from PIL import Image as PilImage

    from whyseg.training.processors import load_processor
    from whyseg.training.tiny_policy import make_policy

    words = folder / f"words-{preset.policy.canvas}"
    if not words.exists():
        make_policy(words, "cpu", side=preset.policy.canvas or 840)
    processor, rows = load_processor(words), some_rows(folder / preset.name, preset)
    scorer, cuda = MadeUp(preset, rows, masks), torch.cuda.is_available()
    group = preset.model_copy(update={"grpo": preset.grpo.model_copy(update={"prompts_per_step": 1})})
    uses = group.grpo.updates_per_rollout
    machine = Machine(rows=ROWS, cuda=cuda, bf16=cuda, checkpointing=cuda)
    plain = arguments(group, machine, folder / "out", updates=BATCHES * uses, save_every=10_000)
    plain |= {"max_completion_length": tokens, "save_strategy": "no", "learning_rate": 0.0}
    plain["generation_kwargs"] = {"suppress_tokens": placeholders(processor), "min_new_tokens": tokens}
    lora = LoraConfig(r=LORA["r"], lora_alpha=LORA["alpha"], lora_dropout=0.0, target_modules=LORA["regex"])
    entries = [
        {"prompt": preset.messages(row.query), "image": PilImage.fromarray(rows.picture(number)), "row": number}
        for number, row in enumerate(rows.rows)
    ]
    run = Timed(
        model=policy(words, shape), processing_class=processor, reward_funcs=scorer.functions(),
        args=RestConfig(**plain), train_dataset=Dataset.from_list(entries), peft_config=lora,
    )  # fmt: skip
    run.uses, run.seconds = uses, [{} for _ in range(BATCHES)]
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    run.train()
    found = run.seconds[-1]
    update = found["step"] - found["sampling_and_scoring"]
    whole = (found["sampling_and_scoring"] + update) * preset.grpo.prompts_per_step
    peak = torch.cuda.max_memory_reserved() / 2**30 if cuda else None
    return {
        "policy": shape, "n": group.grpo.n, "keep": group.grpo.keep or group.grpo.n, "completion_tokens": tokens,
        "rollout_s": round(found["rollout"], 2), "reward_s": round(found["reward"], 2), "update_s": round(update, 2),
        "tokens_a_second": round(group.grpo.n * tokens / found["rollout"], 1),
        "peak_gib": None if peak is None else round(peak, 1), "fits_80_gb": None if peak is None else peak < CARD_GIB,
        "a_step_of_prompts": preset.grpo.prompts_per_step, "step_s_extrapolated": round(whole, 1),
    }  # fmt: skip


def tried(preset: Preset, shape: str, masks: Masks, folder: Path, tokens: int) -> dict[str, Any]:
    """Return what a preset took, or that it does not fit."""
    try:
        return measured(preset, shape, masks, folder, tokens)
    except torch.cuda.OutOfMemoryError as error:
        return {"policy": shape, "fits_80_gb": False, "does_not_fit": " ".join(str(error).split())[:200]}


def small(preset: Preset) -> Preset:
    """Return a preset with a canvas of 112 pixels and 8 rollouts, 4 kept, for ``--tiny``."""
    plain = preset.plain()
    plain["policy"] |= {"canvas": 112, "frame": "canvas_112"}
    plain["grpo"] |= {"n": 8, "keep": 4}
    return Preset.parse(plain)


def one(name: str, tiny: bool, tokens: int, out: Path) -> None:
    """Measure one preset in this process, and write what was found."""
    warnings.simplefilter("ignore")
    preset = small(load_preset(name)) if tiny else load_preset(name)
    shape = "tiny" if tiny else name.split("_")[-1 if name.endswith("b") else -2]
    with tempfile.TemporaryDirectory() as place:
        masks = Masks(segmenter(Path(place) / "sam", tiny), together=64 if torch.cuda.is_available() else 16)
        found = tried(preset, shape, masks, Path(place), tokens)
    out.write_text(json.dumps(found))


def every(presets: Sequence[str], parts: Parts, out: Path, *, tiny: bool, tokens: int) -> None:
    """Measure presets one after the other, each in its own process; the results are written after each."""
    machine = describe("torch", "transformers", "trl", "peft")
    machine["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    result: dict[str, Any] = {"machine": machine, "tiny": tiny, "presets": {}, **parts.notes()}
    longest = 0.0
    with tempfile.TemporaryDirectory() as place:
        for name in presets:
            found = Path(place) / f"{name}.json"
            more = ["--part", name, "--tokens", str(tokens), "--out", str(found), *["--tiny"] * tiny]
            if parts.run(name, *more, needs=longest):
                longest = max(longest, parts.seconds[name])
                result["presets"][name] = json.loads(found.read_text()) | {"process_s": parts.seconds[name]}
                print(name, json.dumps(result["presets"][name]), flush=True)
            out.write_text(json.dumps(result, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{MODULE}", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=[*PRESETS, "seg_zero_7b"])
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--minutes", type=float, default=12, help="for all of it")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--logs", type=Path, default=ROOT / "build" / MODULE)
    parser.add_argument("--part", help="measure this preset alone, in this process")
    given = parser.parse_args()
    if not (given.tiny or torch.cuda.is_available()):
        raise SystemExit("no GPU here; --tiny checks the script on a CPU")
    if given.part:
        return one(given.part, given.tiny, given.tokens, given.out)
    parts = Parts.of(MODULE, given.minutes, given.logs.resolve())
    every(given.presets, parts, given.out.resolve(), tiny=given.tiny, tokens=given.tokens)
    parts.finish()


if __name__ == "__main__":
    main()
