"""The demo without a browser: a sample's path from the photograph to what is read back, on the objects that serve it.

Import, encode, click, refine, question, save, submit; then the workspace is closed, opened again, read and verified.
"""

import hashlib
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from whyseg.curation import verify
from whyseg.curation.blobs import write_atomically
from whyseg.curation.clicks import ClickReply, ClickService, Superseded
from whyseg.curation.demo import AUTHOR, Photo, Target, bring, installed
from whyseg.curation.images import RgbArray, read_upright
from whyseg.curation.report import Section, html_page, overlay
from whyseg.curation.segmenters.base import Segmenter
from whyseg.curation.segmenters.crops import mask_from_crop
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Image, Instance, Origin, Prompt, Sample, State
from whyseg.schemas.errors import CorruptStore, ModelFailed, NotFound, WhysegError
from whyseg.schemas.record import Record

STEPS = ("import", "encode", "click", "refine", "save", "submit", "read back")
REPORT = "report.html"
_SOURCE, _SOURCE_RECORD = "demo", "headless"  # not the sample that a person works on in the browser
_CLIENT = "walkthrough"
_POLL = 0.005  # seconds


class PhotoOutcome(Record):
    """What became of one photograph.

    ``ms``: milliseconds of each of `STEPS` that was done; of several objects, click and refine are the means. ``kept``:
    somebody else changed the sample since, so it was left as it is. ``problem``: what failed, None where nothing did.
    """

    file: str
    query: str
    labels: tuple[str, ...]
    ms: dict[str, float]
    kept: bool = False
    problem: str | None = None


class Walkthrough(Record):
    """The outcome of the walk; ``ok`` when every photograph went through and the workspace verifies."""

    ok: bool
    workspace: str
    report: str
    segmenter: dict[str, str]
    photos: tuple[PhotoOutcome, ...]
    problems: tuple[str, ...]


@dataclass
class _Trial:
    """One photograph on its way: what should be read back, and how long each step took, in seconds."""

    photo: Photo
    path: Path
    expected: Sample | None = None
    kept: bool = False
    problem: str | None = None
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds.setdefault(step, []).append(time.perf_counter() - started)

    def outcome(self) -> PhotoOutcome:
        means = {step: sum(all_) / len(all_) for step, all_ in self.seconds.items()}
        return PhotoOutcome(
            file=self.photo.name,
            query=self.photo.query,
            labels=tuple(target.label for target in self.photo.targets),
            ms={step: round(1e3 * means[step], 2) for step in STEPS if step in means},
            kept=self.kept,
            problem=self.problem,
        )


def walk(
    folder: Path, segmenter: Segmenter, reason: str, told: Callable[[str], None] = lambda text: None
) -> Walkthrough:
    """Walk through all photographs in a workspace, made where there is none, and write its ``report.html``.

    Safe to repeat; what people did in the workspace is kept. ``reason``: why this segmenter runs. ``told`` gets the
    name of each photograph before its turn. Raises ``UsageError`` where the photographs are missing; what fails for one
    photograph is its ``problem``.
    """
    trials = [_Trial(photo, path) for photo, path in installed()]
    with Workspace.ensure(folder) as workspace:
        clicks = ClickService(segmenter, lambda image_id: _pixels(workspace, image_id), reason=reason)
        with closing(clicks):
            for trial in trials:
                told(trial.photo.name)
                try:
                    _annotate(workspace, clicks, trial)
                except WhysegError as error:
                    trial.problem = str(error)
    sections = []
    with Workspace.open(folder) as workspace:
        for trial in trials:
            try:
                sections.append(_read_back(workspace, trial))
            except WhysegError as error:
                trial.problem = trial.problem or str(error)
        problems = tuple(f"{problem.what}: {problem.message}" for problem in verify.verify(workspace))
    outcomes = tuple(trial.outcome() for trial in trials)
    result = Walkthrough(
        ok=not problems and not any(outcome.problem for outcome in outcomes),
        workspace=str(folder.resolve()),
        report=str(folder.resolve() / REPORT),
        segmenter=clicks.describe(),
        photos=outcomes,
        problems=problems,
    )
    write_atomically(folder / REPORT, _page(result, sections).encode())
    return result


def table(result: Walkthrough) -> list[list[str]]:
    """Return the times as rows of text, the head first: milliseconds of each step of each photograph."""
    rows = [["photograph", *(f"{step} ms" for step in STEPS), ""]]
    for photo in result.photos:
        times = [f"{photo.ms[step]:.1f}" if step in photo.ms else "–" for step in STEPS]
        rows.append([photo.file, *times, photo.problem or ("kept as somebody left it" if photo.kept else "ok")])
    return rows


def _annotate(workspace: Workspace, clicks: ClickService, trial: _Trial) -> None:
    """Take a photograph in, click its objects, and hand in the sample."""
    with trial.timed("import"):
        bring(workspace, trial.photo, trial.path)
    image = workspace.store.image(hashlib.sha256(trial.path.read_bytes()).hexdigest())
    with trial.timed("encode"):
        _encode(clicks, image.id)
    instances = [_click(clicks, image, trial, k, target) for k, target in enumerate(trial.photo.targets)]
    empty = Sample.start(image.id, image.size, source=_SOURCE, source_record=_SOURCE_RECORD)
    head = workspace.store.add_sample(empty, author=AUTHOR)
    trial.kept = head.revision.author != AUTHOR or head.state is State.ACCEPTED
    if trial.kept:
        trial.expected = head.sample
        return
    sample = Sample.parse(
        {
            **empty.plain(),
            "query": {"text": trial.photo.query},
            "instances": [instance.plain() for instance in instances],
            "reasoning_type": trial.photo.reasoning_type,
            "hops": trial.photo.hops,
            "depth": len(trial.photo.hops),
        }
    )
    with trial.timed("save"):
        edit = uuid.uuid4().hex
        head = workspace.store.revise(sample.id, sample, parent=head.revision.id, author=AUTHOR, edit=edit)
    with trial.timed("submit"):
        workspace.store.submit(sample.id, parent=head.revision.id, author=AUTHOR)
    trial.expected = sample


def _encode(clicks: ClickService, image_id: str) -> None:
    """Ask for an image as a page does that opens it, and wait until it is ready."""
    clicks.want([image_id])
    while (status := clicks.status(image_id)).state != "ready":
        if status.state == "failed":
            raise ModelFailed(status.message or "the image could not be encoded")
        time.sleep(_POLL)


def _click(clicks: ClickService, image: Image, trial: _Trial, number: int, target: Target) -> Instance:
    """Click an object, refine the best candidate by a second click, and return the instance."""
    seq = 2 * number
    with trial.timed("click"):
        _answered(clicks.click(_CLIENT + image.id, seq, image.id, image.size, Prompt(points=(target.first,))))
    prompt = Prompt(points=(target.first, target.second))
    with trial.timed("refine"):
        reply = _answered(clicks.click(_CLIENT + image.id, seq + 1, image.id, image.size, prompt, refine=(seq, 0)))
    mask = mask_from_crop(image.size, reply.best.bbox, reply.best.counts)
    origin = Origin(kind="click", model=clicks.describe()["model"])
    return Instance(id=number + 1, mask=mask, label=target.label, prompt=prompt, origin=origin)


def _answered(reply: ClickReply | Superseded) -> ClickReply:
    if isinstance(reply, Superseded):
        raise ModelFailed("a click was not answered, though no other came after it")
    return reply


def _read_back(workspace: Workspace, trial: _Trial) -> Section:
    """Read a sample and its picture from the disk, compare, and show them."""
    if trial.expected is None:
        raise NotFound("sample", f"of {trial.photo.name}")
    with trial.timed("read back"):
        head = workspace.store.head(trial.expected.id)
        pixels = _pixels(workspace, head.sample.image_id)
        masks = [instance.mask for instance in head.sample.instances]
        same = all(
            np.array_equal(a.decode(), b.mask.decode()) for a, b in zip(masks, trial.expected.instances, strict=True)
        )
    if head.sample != trial.expected or not same or pixels.shape[:2] != head.sample.size:
        raise CorruptStore(f"sample {head.sample.id} of {trial.photo.name} is not what was saved")
    if not trial.kept and head.state is not State.SUBMITTED:
        raise CorruptStore(f"sample {head.sample.id} of {trial.photo.name} is {head.state}, expected submitted")
    image, kind = workspace.store.image(head.sample.image_id), head.sample.reasoning_type
    hops = [f"{k}. {hop}" for k, hop in enumerate(head.sample.hops, 1)]
    labels = ", ".join(f"{instance.label} ({instance.mask.area} pixels)" for instance in head.sample.instances)
    return Section(
        heading=head.sample.query.text if head.sample.query else "(no question)",
        lines=[*hops, f"Answer: {labels}"],
        small=f"{image.file_name}, {image.width}×{image.height}, {kind.value if kind else 'no type'}. {image.license}",
        picture=overlay(pixels, masks, [instance.prompt for instance in head.sample.instances]),
    )


def _pixels(workspace: Workspace, image_id: str) -> RgbArray:
    return read_upright(workspace.blobs.read(image_id), image_id).pixels


def _page(result: Walkthrough, sections: Sequence[Section]) -> str:
    lead = (
        f"{result.segmenter['reason']} The times are milliseconds; of several objects, click and refine are the means."
    )
    if result.problems:
        lead += " Problems of the workspace: " + "; ".join(result.problems)
    return html_page("whyseg: from the photograph to the sample", lead, table(result), sections)
