"""Pictures into a workspace: each becomes a content-addressed file, an image record and one empty draft sample.

A file that is a picture by its suffix or its first bytes, or that the user names, is taken in or refused with the
reason; all others and hidden ones are ignored and counted.
"""

from collections.abc import Callable
from pathlib import Path

from whyseg.curation.images import begins_like_picture, has_picture_suffix
from whyseg.curation.intake import ImportReport, Intake, WorkspaceIntake
from whyseg.curation.sources import File, Found, Refusal, candidates
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Sample
from whyseg.schemas.errors import RefusedInput

SOURCE = "images"
_HEAD = 16  # bytes that tell what a file is


def import_images(
    workspace: Workspace,
    source: Path,
    *,
    author: str,
    license: str | None = None,
    dry_run: bool = False,
    progress: Callable[[str], None] | None = None,
) -> ImportReport:
    """Take in a picture, a folder of them (with its sub-folders), those that a glob names, or those in a zip archive.

    Safe to repeat: what is there already is skipped. ``dry_run`` decodes everything and writes nothing. ``progress`` is
    called with the name of each file before it is looked at. Raises ``UsageError`` when there is no such file, folder
    or match, ``StoreUnavailable`` when the disk refuses; what was taken in until then stays.
    """
    intake = WorkspaceIntake(workspace, author=author, license=license, dry_run=dry_run)
    try:
        for found in candidates(source):
            if isinstance(found, File) and progress:
                progress(found.name)
            _take(intake, found)
    finally:
        intake.flush()
    return intake.report()


def _take(intake: Intake, found: Found) -> None:
    if isinstance(found, Refusal):
        intake.refuse(found.file, found.reason)
        return
    try:
        if found is None or not _claims(found):
            intake.ignored += 1
            return
        picture = intake.picture(found.read(None), found.name)
    except RefusedInput as error:
        intake.refuse(error.name, error.reason)
        return
    image = picture.image
    sample = Sample.start(image.id, image.size, source=SOURCE, source_record="")
    intake.take(found.name, picture, [sample])


def _claims(file: File) -> bool:
    """Tell whether a file says that it is a picture."""
    return file.named or has_picture_suffix(file.name) or begins_like_picture(file.read(_HEAD))
