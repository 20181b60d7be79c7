"""``whyseg check``: every check over every sample, and what becomes of their findings."""

from collections.abc import Callable, Iterator
from datetime import datetime

from sqlalchemy import func, select

from whyseg.curation.checking import masks, questions, sets
from whyseg.curation.checking.base import Check, Pictures, Seen, SetCheck, finding
from whyseg.curation.fingerprints import fingerprints
from whyseg.curation.queries import seen
from whyseg.curation.rows import revision_of
from whyseg.curation.signals import retire_model_findings
from whyseg.curation.similarity import groups, links
from whyseg.curation.tables import ReleaseItemRow, RevisionRow, SampleRow
from whyseg.curation.times import now
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Finding, Record, Sample
from whyseg.schemas.errors import CorruptStore, UsageError

CHECKS = (
    Check("empty_mask", "error", masks.empty_mask),
    Check("tiny_mask", "warning", masks.tiny_mask),
    Check("full_frame_mask", "warning", masks.full_frame_mask),
    Check("outside_picture", "warning", masks.outside_picture),
    Check("broken_outline", "warning", masks.broken_outline),
    Check("missing_type", "warning", questions.missing_type),
    Check("missing_hops", "warning", questions.missing_hops),
    Check("label_leak", "warning", questions.label_leak),
    Check("count_mismatch", "warning", questions.count_mismatch),
)
SET_CHECKS = (
    SetCheck("near_duplicate_image", "warning", sets.near_duplicate_image),
    SetCheck("near_duplicate_question", "warning", sets.near_duplicate_question),
    SetCheck("common_question", "info", sets.common_question),
    SetCheck("split_leak", "error", sets.split_leak),
)
Progress = Callable[[str, int, int], None]


class LeftOut(Record):
    """A check that could not run, and why; its findings stay as they were."""

    check: str
    reason: str


class CheckReport(Record):
    """What a run of the checks did.

    ``checked``: samples. ``findings``: all that are open now, also those of imports. ``new``: how many were found that
    were not before; ``gone``: how many were, and are not any more, also those of models about older revisions.
    ``set_aside``: how many that are found people have set aside; these are not among ``findings``.
    """

    checked: int
    findings: tuple[Finding, ...]
    new: int
    gone: int
    left_out: tuple[LeftOut, ...] = ()
    set_aside: int = 0


def look(sample: Sample, at: datetime) -> Iterator[Finding]:
    """Yield what the checks say about one sample, beside no other."""
    for check in CHECKS:
        for remark in check.look(sample):
            yield finding(check, sample.id, sample.image_id, remark, at)


def check_workspace(workspace: Workspace, progress: Progress = lambda part, done, total: None) -> CheckReport:
    """Look at the newest revision of every sample, and write down what is found.

    What a model said of an older revision is gone, too: nobody knows whether it is still so.

    ``progress`` gets a part's name, how much of it is done, and its size. Raises ``CorruptStore`` for a revision that
    cannot be read.
    """
    at = now()
    found: list[Finding] = []
    seen: list[Seen] = []
    for sample in _samples(workspace, progress):
        found += look(sample, at)
        text = sample.query.text if sample.query else None
        seen.append(Seen(sample.id, sample.image_id, text, sample.split))
    left_out: list[LeftOut] = []
    ran = [check.name for check in CHECKS]
    try:
        pictures = _pictures(workspace, seen, progress)
    except CorruptStore as error:  # a picture's file is missing or broken
        left_out = [LeftOut(check=check.name, reason=str(error)) for check in SET_CHECKS]
    else:
        for check in SET_CHECKS:
            try:
                found += [
                    finding(check, one.sample_id, one.image_id, remark, at)
                    for one, remark in check.look(seen, pictures)
                ]
                ran.append(check.name)
            except UsageError as error:  # a package that is not installed
                left_out.append(LeftOut(check=check.name, reason=str(error)))
    settled = workspace.store.settle_findings(found, ran)
    outdated = retire_model_findings(workspace.store)
    found.clear()  # what is open comes back from the store
    known = workspace.store.findings()
    shown = tuple(one for one in known if one.set_aside is None)
    return CheckReport(
        checked=len(seen),
        findings=shown,
        new=settled.new,
        gone=settled.gone + outdated,
        left_out=tuple(left_out),
        set_aside=len(known) - len(shown),
    )


def _samples(workspace: Workspace, progress: Progress) -> Iterator[Sample]:
    """Yield every sample but blind answers as it stands, in the order of adding, without holding them all."""
    with workspace.store.database.read() as session:
        total = session.scalar(select(func.count()).select_from(SampleRow).where(*seen(None))) or 0
        heads = select(RevisionRow).join(SampleRow, SampleRow.head == RevisionRow.id).where(*seen(None))
        heads = heads.order_by(SampleRow.added)
        for done, row in enumerate(session.scalars(heads.execution_options(yield_per=500)), 1):
            session.expunge(row)
            yield revision_of(row).sample
            progress("samples", done, total)


def _pictures(workspace: Workspace, seen: list[Seen], progress: Progress) -> Pictures:
    images = list(dict.fromkeys(one.image_id for one in seen))
    prints = fingerprints(workspace, images, lambda done, total: progress("pictures", done, total))
    group = {image: members[0] for members in groups(images, links(prints)) for image in members}
    with workspace.store.database.read() as session:
        released = select(ReleaseItemRow.image_id, ReleaseItemRow.split).distinct()
        return Pictures(group, {row.image_id: row.split for row in session.execute(released)})
