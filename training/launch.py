"""Starting a training run, going on with one, and its end; `whyseg train` is this and words around it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, Literal

from whyseg.curation.reading import Data
from whyseg.curation.segmenters import weights
from whyseg.curation.times import now
from whyseg.schemas import Split
from whyseg.schemas.errors import UsageError, WhysegError
from whyseg.training import data as rows_of
from whyseg.training.mask_reward import Masks
from whyseg.training.policies import CARD, card_of, located
from whyseg.training.presets import Preset
from whyseg.training.run import RunFolder, RunRecord, Start, commit, is_main, processes, versions
from whyseg.training.settings import Machine, arguments, fitted, plan

Told = Callable[[str], None]
Progress = Callable[[int, int, float], None]
WORLD: dict[str, Literal["cpu", "gpu"]] = {"world-cpu": "cpu", "world-gpu": "gpu"}  # policies made here
CONFIG = "config.json"  # the file that a model's folder has
_SEGMENTER = "facebook/sam2.1-hiera-large"


def start(
    preset: Preset,
    data: Data,
    out: Path,
    *,
    machine: Machine,
    policy: str | None = None,
    continues: Path | None = None,
    segmenter: str | None = None,
    segmenter_device: str | None = None,
    updates: int | None = None,
    save_every: int | None = None,
    seed: int | None = None,
    split: Split = "train",
    told: Told = lambda text: None,
    progress: Progress = lambda done, count, reward: None,
) -> RunRecord:
    """Train a preset's policy on data, from nothing to the finished run in the new folder ``out``.

    ``policy``: a model to start from instead of the preset's own, a folder or a Hub id; ``continues``: the run whose
    policy it goes on from, wanted by a second stage. ``segmenter``: whose masks are rewarded, by default SAM 2.1 large,
    for the world the packaged test model. ``updates``: how many instead of the preset's. ``progress`` hears updates
    done, their number and the mean reward. Raises ``UsageError`` for what does not fit together.
    """
    machine = fitted(preset, machine.model_copy(update={"processes": processes()}))
    arguments(preset, machine, out, updates=1, save_every=1)  # says what does not divide
    given = _given(preset, policy, continues)
    if segmenter is None and preset.reward.needs_masks:
        segmenter = "tiny-test" if preset.policy.model in WORLD else _SEGMENTER
    masks = masks_of(segmenter, segmenter_device) if segmenter and preset.reward.needs_masks else None
    folder = RunFolder.new(out) if is_main() else RunFolder(out)
    with closing(folder):
        with _first(), _undone(folder):
            begun = given or _untrained(preset, folder, preset.grpo.seed if seed is None else seed)
            told("reading the data")
            release = _release_hash(data)
            found = rows_of.prepare(
                data, preset, folder.data, split=split, release=release, tokens=_tokens(preset, begun)
            )
            if given is None:
                begun = _warmed(preset, folder, preset.grpo.seed if seed is None else seed, told)
        length = plan(preset, len(found.rows), updates=updates)
        record = RunRecord(
            preset=preset,
            data=found.facts,
            machine=machine,
            plan=length,
            start=begun,
            segmenter=segmenter if masks else None,
            segmenter_device=segmenter_device,
            save_every=save_every or max(1, min(50, length.updates // 4)),
            seed=preset.grpo.seed if seed is None else seed,
            versions=versions(),
            commit=commit(),
            host=_host(),
            created_at=now(),
        )
        if is_main():
            folder.write(record)
        return _run(folder, record, found, masks, None, told, progress)


def resume(
    path: Path,
    *,
    told: Told = lambda text: None,
    progress: Progress = lambda done, count, reward: None,
) -> RunRecord:
    """Go on with a run that was cut off, from its last whole checkpoint; a finished run is returned as it is.

    Raises ``UsageError`` when the folder holds no run, or one that another process is at work on.
    """
    folder = RunFolder.of(path)
    record = folder.read()
    if record.state == "done":
        told("the run is finished")
        return record
    if is_main():
        folder.claim()
    with closing(folder):
        return _gone_on(folder, record, told, progress)


def _gone_on(folder: RunFolder, record: RunRecord, told: Told, progress: Progress) -> RunRecord:
    found = rows_of.load(folder.data)
    masks = masks_of(record.segmenter, record.segmenter_device) if record.segmenter else None
    checkpoint = folder.checkpoint()
    update = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    told(f"going on after update {update} of {record.plan.updates}")
    record = record.model_copy(update={"resumed_at": (*record.resumed_at, update)})
    if is_main():
        folder.rewind(update)
        folder.write(record)
    return _run(folder, record, found, masks, checkpoint, told, progress)


def _run(
    folder: RunFolder,
    record: RunRecord,
    found: rows_of.TrainData,
    masks: Masks | None,
    checkpoint: Path | None,
    told: Told,
    progress: Progress,
) -> RunRecord:
    from whyseg.training import trainer as engine
    from whyseg.training.report import write_report

    told(f"training: {record.plan.updates} updates on {len(found.rows)} rows")
    with engine.quiet():
        trainer = engine.build(folder, record, found, masks, checkpoint, progress)
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        engine.save(trainer, folder, record)
    record = record.model_copy(update={"state": "done", "finished_at": now()})
    if is_main():
        folder.write(record)
        write_report(folder)
    return record


def _given(preset: Preset, policy: str | None, continues: Path | None) -> Start | None:
    """Return where the policy starts from; None when it is still to be made."""
    if policy is not None and continues is not None:
        raise UsageError("a policy starts from a model or from another run, not from both")
    if continues is not None:
        card = card_of(continues)
        if card is None:
            raise UsageError(f"{continues} holds no trained policy (no {CARD} there): is its run finished?")
        where, known = card
        if preset.stage and known.preset.name != preset.stage.continues:
            raise UsageError(f"{preset.name} continues {preset.stage.continues}, {continues} is of {known.preset.name}")
        if known.base is None:
            return Start(base=where, of_run=str(continues))
        return Start(base=known.base, adapters=where, of_run=str(continues))
    if preset.stage is not None:
        raise UsageError(f"{preset.name} continues {preset.stage.continues}: give that run's folder with --continue")
    if policy is not None:
        return Start(base=located(policy))
    return None if preset.policy.model in WORLD else Start(base=preset.policy.model)


def _untrained(preset: Preset, folder: RunFolder, seed: int) -> Start:
    """Make the world's policy, which knows nothing yet."""
    from whyseg.training.tiny_policy import make_policy

    if not (folder.untrained / CONFIG).exists():
        make_policy(folder.untrained, WORLD[preset.policy.model], side=preset.policy.canvas or 0, seed=seed)
    return Start(base=str(folder.untrained))


def _warmed(preset: Preset, folder: RunFolder, seed: int, told: Told) -> Start:
    """Warm the world's policy up, on scenes of its own."""
    from whyseg.training.warm_up import on_world

    if not (folder.start / CONFIG).exists():
        told("warming a tiny policy up")
        on_world(folder.untrained, folder.start, side=preset.policy.canvas or 0, seed=seed, told=told)
        shutil.rmtree(folder.untrained)
    return Start(base=str(folder.start))


@contextmanager
def _undone(folder: RunFolder) -> Iterator[None]:
    """Leave no folder behind where a run did not even begin."""
    try:
        yield
    except WhysegError:
        if is_main():
            shutil.rmtree(folder.path, ignore_errors=True)
        raise


def masks_of(segmenter: str, device: str | None) -> Masks:
    """Return the masks of one of SAM 2's models, by its name or folder, on a device or the best there is."""
    from whyseg.curation.segmenters.sam2 import Sam2Segmenter

    model = weights.find(segmenter)
    if model.backend != "sam2":
        hint = f": whyseg models convert sam2 {segmenter}" if model.backend == "sam2-package" else ""
        raise UsageError(f"{segmenter} is a model of {model.backend}; masks are rewarded by a folder of SAM 2's{hint}")
    loaded = Sam2Segmenter(weights.here(model) or weights.pull(model), model.name, device=device)
    return Masks(loaded, together=64 if loaded.device.type == "cuda" else 16)


def _tokens(preset: Preset, begun: Start) -> Callable[[str], int]:
    """Return what counts the tokens of a question's prompt with its picture."""
    from whyseg.training.local_policy import loading
    from whyseg.training.processors import load_processor

    with loading(begun.base):
        processor = load_processor(begun.base)
    images = processor.image_processor
    side = preset.policy.canvas or 0
    picture = (side // (images.patch_size * images.merge_size)) ** 2

    def count(query: str) -> int:
        text = processor.apply_chat_template(preset.messages(query), tokenize=False, add_generation_prompt=True)
        return int(picture) + len(processor.tokenizer(text)["input_ids"])

    return count


def _release_hash(data: Data) -> str | None:
    if data.layout != "release":
        return None
    from whyseg.curation.releases import Releases
    from whyseg.curation.workspace import Workspace

    with Workspace.open(data.workspace or Path()) as opened:
        return Releases(opened).get(data.name).hash


def _first() -> AbstractContextManager[Any]:
    """Let the first process go first: it writes what the others then read."""
    from accelerate import PartialState

    context: AbstractContextManager[Any] = PartialState().main_process_first()
    return context


def _host() -> str:
    import platform

    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{platform.machine()}, {gpu}"
