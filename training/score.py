"""``whyseg score``: samples are asked about, and what the answers say becomes signals, findings and proposals.

Answers are kept in the workspace's cache by picture and question, durable as they come; signals are in the database as
soon as a sample is done. So a run that was killed goes on, and a question is not asked twice of the same policy.
An endpoint is asked several questions at once; those of one portion become durable together.
Findings and proposals are written at the end, when it is known how many alarms the policy raises.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from whyseg.curation.blobs import write_atomically
from whyseg.curation.proposals import Proposals
from whyseg.curation.reading import Item
from whyseg.curation.releases import Releases
from whyseg.curation.signals import SignalStore, settle_model_findings
from whyseg.curation.sources import Refusal
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Mask, Record, Revision, ScoreRun, Signals, Split, content_hash
from whyseg.schemas.errors import InvalidRecord, ModelUnavailable, RefusedInput, SizeMismatch, UsageError
from whyseg.training.candidates import CandidateFile, Candidates
from whyseg.training.diagnosis import THRESHOLDS, Diagnosis, Thresholds, diagnose, surest
from whyseg.training.evaluate import unscorable
from whyseg.training.mask_reward import Masks
from whyseg.training.policies import AsksApart, files_of
from whyseg.training.predict import CANDIDATES, TOGETHER, Predictor
from whyseg.training.predictions import Journal
from whyseg.training.signals import reprompt, signals_of

FOLDER, RUN = "score", "score.json"
GONE = 8  # questions one after another to which nothing comes back: nobody is there, and each waits for long
_TOGETHER = 200  # samples whose signals are read at once


@dataclass(frozen=True)
class Asked:
    """A revision that is asked about, and the side that its picture is on."""

    revision: Revision
    split: Split | None


class ScoreReport(Record):
    """What a run came to.

    ``scored``: samples with new signals; ``known``: those that this run had signals of already. ``revised``: those that
    were revised since: they have signals, and neither findings nor proposals. ``rejected``: those that are rejected as
    they stand: they are passed over. ``unanswered``: nothing came back,
    another run asks again. ``left_out``: samples that cannot be scored; ``refused``: candidates that do not fit their
    sample. ``findings``: by kind; ``withheld``: samples whose alarms were too many, see `diagnosis.surest`; ``new`` and
    ``gone`` as in checks. ``proposals``: how many are new.
    """

    run: ScoreRun
    scored: int
    known: int
    revised: int
    rejected: int
    unanswered: int
    left_out: tuple[Refusal, ...]
    refused: tuple[Refusal, ...]
    findings: dict[str, int]
    withheld: int
    new: int
    gone: int
    proposals: int


class Source(Protocol):
    """Where the answers to questions come from."""

    def facts(self) -> dict[str, Any]:
        """Return what the answers depend on, as plain JSON."""

    def ask(self, items: Sequence[Item]) -> None:
        """Get the answers to several items' questions at once, where that saves time."""

    def answers(self, item: Item) -> Candidates | None:
        """Return the answers to an item's question; None where there are none."""


class Live:
    """A policy, asked now, or before: its answers are kept in ``folder`` by picture and question.

    Raises ``UsageError`` while another process asks the same policy in the same way.
    """

    def __init__(self, predictor: Predictor, folder: Path) -> None:
        self.predictor = predictor
        self._folder = folder / content_hash(self.facts()).removeprefix("sha256:")[:16]
        self._journal = Journal(self._folder / CANDIDATES)
        write_atomically(self._folder / RUN, json.dumps(self.facts(), ensure_ascii=False, indent=2).encode() + b"\n")
        self._kept: Mapping[str, Candidates] = CandidateFile(self._folder / CANDIDATES)
        self._asked: dict[str, Candidates] = {}  # of the last picture: other samples may ask the same of it
        self._ready: dict[str, Candidates] = {}  # asked at once, by `ask`
        self._image, self._missed = "", 0

    def facts(self) -> dict[str, Any]:
        """Return what the answers depend on; a local policy's files too, for a folder may be trained into again."""
        return {**self.predictor.facts(), "files": files_of(self.predictor.policy.name)}

    def ask(self, items: Sequence[Item]) -> None:
        """Ask at once what is not kept, if the policy answers each question apart; raises as `answers` does."""
        self._ready = {}
        if not isinstance(self.predictor.policy, AsksApart):
            return
        new = {key: item for item in items if (key := _key(item)) not in self._kept and key not in self._asked}
        try:
            found = self.predictor.answer(list(new.values())) if new else []
        except (RefusedInput, SizeMismatch):
            return  # asked one by one, it shows whose they are
        for key, one in zip(new, found, strict=True):
            self._ready[key] = self._taken(key, one)

    def answers(self, item: Item) -> Candidates | None:
        """Return the answers to an item's question, asked now unless they are kept; None when nothing came back.

        Raises ``ModelUnavailable`` when that happens `GONE` times on end.
        """
        key = _key(item)
        if item.image.id != self._image:
            self._image, self._asked = item.image.id, {}
        found = self._asked.get(key) or self._ready.get(key) or self._kept.get(key)
        if found is None:
            found = self._taken(key, *self.predictor.answer([item]))
        self._asked[key] = found
        return found.model_copy(update={"sample_id": item.sample.id}) if any(found.texts) else None

    def _taken(self, key: str, new: Candidates) -> Candidates:
        """Keep new answers, if there are any, under the key of their question."""
        found = new.model_copy(update={"sample_id": key})
        self._missed = 0 if any(found.texts) else self._missed + 1
        if self._missed == GONE:
            name = self.predictor.policy.name
            raise ModelUnavailable(f"nothing came back from {name} to {GONE} questions on end: does it still run?")
        if any(found.texts):
            self._journal.add(found.line())
        return found

    def close(self) -> None:
        """Close the file of answers."""
        self._journal.close()


def _key(item: Item) -> str:
    """Return what a picture and a question are known by."""
    text = item.sample.query.text if item.sample.query else ""
    return content_hash([item.image.id, text]).removeprefix("sha256:")[:24]


class Stored:
    """Candidates in a file, a line a sample, as ``whyseg predict`` writes them."""

    def __init__(self, path: Path) -> None:
        self.path, self.file = path, CandidateFile(path)

    def facts(self) -> dict[str, Any]:
        """Return the hash of all candidates, whatever the file is called."""
        digest = content_hash([[key, self.file[key].model_dump(mode="json")] for key in self.file])
        return {"candidates": digest}

    def most(self) -> int:
        """Return the number of answers to the question that has most, at least 1."""
        return max((len(self.file[key].answers) for key in self.file), default=1) or 1

    def ask(self, items: Sequence[Item]) -> None:
        """Do nothing: all answers are there."""

    def answers(self, item: Item) -> Candidates | None:
        """Return the stored answers to an item's question."""
        found = self.file.get(item.sample.id)
        return found if found and found.answers else None


def wanted(workspace: Workspace, release: str | None, split: Split | None = None) -> list[Asked]:
    """Return the frozen revisions of a release, of one split or all, or every sample as it stands but blind answers.

    One picture's samples are beside each other. Raises ``NotFound`` for a release that is not there.
    """
    releases = Releases(workspace)
    items = releases.newest("any") if release is None else releases.items(release)
    items = sorted((item for item in items if split in (None, item.split)), key=lambda item: item.image_id)
    revisions = releases.revisions(items)
    frozen = release is not None
    return [Asked(one, item.split if frozen else None) for item, one in zip(items, revisions, strict=True)]


def run_of(facts: Mapping[str, Any], asked: Sequence[Asked], release: str | None, **words: Any) -> ScoreRun:
    """Return a run; its id follows from what is asked about and what the answers depend on.

    ``words``: the other fields of `ScoreRun`. Raises ``UsageError`` for values that no run has.
    """
    about = [[one.revision.sample.id, one.revision.id] for one in asked]
    key = content_hash([dict(facts), release, about, words["segmenter"]]).removeprefix("sha256:")[:24]
    try:
        return ScoreRun.parse({"id": key, "release": release, **words})
    except InvalidRecord as error:
        raise UsageError(str(error)) from error


def score(
    workspace: Workspace,
    run: ScoreRun,
    asked: Sequence[Asked],
    source: Source,
    masks: Masks,
    *,
    thresholds: Thresholds = THRESHOLDS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ScoreReport:
    """Score the revisions, then write down what is found; what the run has signals of already is not scored again.

    ``progress`` gets how many are done, of how many. Raises ``ModelFailed`` and ``EndpointDenied`` as policy and
    segmenter do, ``ModelUnavailable`` as `Live` does, ``CorruptStore`` for a picture that is missing.
    """
    store = SignalStore(workspace.store)
    store.add_run(run)
    done = store.scored(run.id)
    scorer = _Scorer(workspace, run, source, masks)
    for start in range(0, len(asked), TOGETHER):
        some = asked[start : start + TOGETHER]
        ready = scorer.asked([one for one in some if one.revision.sample.id not in done])
        for number, one in enumerate(some, start + 1):
            if item := ready.get(one.revision.sample.id):
                scorer.score(one, item)
            progress(number, len(asked))
    return scorer.report(len(done), scorer.settle(asked, thresholds))


class _Scorer:
    """A run at work."""

    def __init__(self, workspace: Workspace, run: ScoreRun, source: Source, masks: Masks) -> None:
        self.workspace, self.run, self.source, self.masks = workspace, run, source, masks
        self._left_out, self._refused = list[Refusal](), list[Refusal]()
        self._counts = Counter[str]()
        self._rejected = Releases(workspace).rejected()

    def asked(self, some: Sequence[Asked]) -> dict[str, Item]:
        """Have some revisions' questions asked; return those that can be scored."""
        fit = dict[str, Item]()
        for one in some:
            sample = one.revision.sample
            reason = "it has no question" if sample.query is None else unscorable(sample)
            if reason is not None:
                self._left_out.append(Refusal(file=sample.id, reason=reason))
            elif sample.id not in self._rejected:
                fit[sample.id] = self._item(one)
        self.source.ask(list(fit.values()))
        return fit

    def score(self, one: Asked, item: Item) -> None:
        """Keep the signals of one revision."""
        sample, store = one.revision.sample, self.workspace.store
        try:
            candidates = self.source.answers(item)
            if candidates is None:
                self._counts["unanswered"] += 1
                return
            again = reprompt(sample, self.masks, item.pixels)
            signals = signals_of(candidates, one.revision, again, run=self.run.id, at=store.clock())
        except (SizeMismatch, RefusedInput) as error:
            self._refused.append(Refusal(file=sample.id, reason=str(error)))
            return
        SignalStore(store).add([signals])
        self._counts["scored"] += 1

    def settle(self, asked: Sequence[Asked], thresholds: Thresholds) -> dict[str, int]:
        """Write findings and proposals about all samples that the run has signals of; count the findings by kind."""
        store, found = self.workspace.store, dict[str, Diagnosis]()
        self._rejected = Releases(self.workspace).rejected()
        self._counts["rejected"] = sum(one.revision.sample.id in self._rejected for one in asked)
        heads = {one.sample_id: one.revision_id for one in Releases(self.workspace).newest("any")}
        for start in range(0, len(asked), _TOGETHER):
            some = {one.revision.sample.id: one for one in asked[start : start + _TOGETHER]}
            for key, signals in SignalStore(store).signals(self.run.id, list(some)).items():
                if key in self._rejected:
                    continue
                if heads.get(key) != some[key].revision.id:
                    self._counts["revised"] += 1
                elif signals.answers >= thresholds.answers:  # else another run's findings stay
                    found[key] = self._diagnosed(some[key], signals, thresholds)
        kept = surest(found, len(found), thresholds)
        self._counts["withheld"] = sum(one != found[key] for key, one in kept.items())
        self._counts["proposals"] = Proposals(store).add(one for each in kept.values() for one in each.proposals)
        findings = [one for each in kept.values() for one in each.findings]
        settled = settle_model_findings(store, list(kept), findings)
        self._counts.update(new=settled.new, gone=settled.gone)
        return dict(sorted(Counter(one.kind for one in findings).items()))

    def report(self, known: int, findings: dict[str, int]) -> ScoreReport:
        """Return what came of it."""
        names = ("scored", "revised", "rejected", "unanswered", "withheld", "new", "gone", "proposals")
        return ScoreReport(
            run=self.run,
            known=known,
            left_out=tuple(self._left_out),
            refused=tuple(self._refused),
            findings=findings,
            **{name: self._counts[name] for name in names},
        )

    def _diagnosed(self, one: Asked, signals: Signals, thresholds: Thresholds) -> Diagnosis:
        def again() -> tuple[Mask | None, ...]:
            return reprompt(one.revision.sample, self.masks, self._item(one).pixels)

        return diagnose(one.revision, signals, again, run=self.run, thresholds=thresholds)

    def _item(self, one: Asked) -> Item:
        sample = one.revision.sample
        image = self.workspace.store.image(sample.image_id)
        return Item(sample, image, self.workspace.blobs.read(sample.image_id), sample.id, one.split)
