"""The card of a release: what it holds and how it was made, as the README.md of a dataset on the Hub.

Text of users (questions, licences, names of models) is put into code spans, where Markdown has no meaning, HTML is
text and nothing becomes a link; see `quoted`.
"""

import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from huggingface_hub import DatasetCardData
from PIL import Image as PilImage

from whyseg import __version__
from whyseg.curation.card_counts import SHARES, Counts, count_release, rows_of
from whyseg.curation.card_words import COLUMNS, LIMITS, LOADING, SPLITTING, VERIFYING
from whyseg.curation.images import printable, read_reduced
from whyseg.curation.releases import Releases
from whyseg.curation.report import overlay
from whyseg.curation.workspace import Workspace
from whyseg.schemas import ReasoningType, Release, Sample
from whyseg.schemas.release import SPLITS
from whyseg.schemas.sample import MAX_DEPTH

README = "README.md"
ASSETS = "assets"
PICTURE_SIDE = 480  # pixels
_NAMED = 20  # rows of a table whose number nothing bounds
_LONG = 300  # characters of a text that a card shows
_IN_A_ROW = 3  # pictures

_HUB_LICENSES = frozenset(
    "apache-2.0 mit openrail bsd bsd-2-clause bsd-3-clause bsl-1.0 afl-3.0 artistic-2.0 c-uda cc cc0-1.0 cc-by-2.0 "
    "cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 "
    "cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 "
    "cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 "
    "gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc mpl-2.0 ms-pl ncsa ofl-1.1 osl-3.0 odc-by odbl pddl postgresql unlicense "
    "zlib unknown other".split()
)
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_CREATORS = {"model": "machine-generated", "import": "found"}  # of masks; all other kinds are people's work


def card_text(workspace: Workspace, name: str) -> str:
    """Return a release's card, Markdown with YAML in front; raises ``NotFound`` for the release."""
    release = Releases(workspace).get(name)
    return _text(workspace, release, count_release(workspace, release))


def card_files(workspace: Workspace, name: str) -> dict[str, bytes]:
    """Return a release's card and the pictures that it shows, by their paths beside each other.

    The same release gives the same bytes as long as settings, reviews and the version of whyseg stay.
    """
    release = Releases(workspace).get(name)
    counts = count_release(workspace, release)
    files = {README: _text(workspace, release, counts).encode()}
    for number, sample in enumerate(counts.shown, 1):
        files[_picture_name(number)] = _picture(workspace, sample)
    return files


def card_options(workspace: Workspace) -> dict[str, object]:
    """Return what of the workspace's settings changes a card."""
    return {"license": workspace.settings.license, "languages": list(workspace.settings.languages)}


def quoted(text: str) -> str:
    r"""Return a text of a user for a paragraph or a table cell: one line, in a code span.

    Nothing in a code span is Markdown, HTML or a link. A pipe would end a table's cell even there, so it stands between
    two spans as a character reference.

    >>> quoted("a\nb|<i>`c`")
    '`a b`&#124;`` <i>`c` ``'
    """
    line = printable(" ".join(text.split()))
    line = line if len(line) <= _LONG else line[: _LONG - 1] + "…"
    return "&#124;".join(map(_code, line.split("|")))


def license_fields(license: str) -> dict[str, str]:
    """Return the Hub's metadata for a licence: an identifier that it knows, a name, an address, or nothing.

    >>> license_fields("CC-BY-4.0")
    {'license': 'cc-by-4.0'}
    >>> license_fields("Our terms https://example.org/terms")
    {'license': 'other', 'license_name': 'our-terms', 'license_link': 'https://example.org/terms'}
    """
    if not license.strip():
        return {}
    if license.strip().lower() in _HUB_LICENSES:
        return {"license": license.strip().lower()}
    links = re.findall(r"https?://[^\s<>\"'`|\\]+", license)
    words = re.findall(r"[a-z0-9.]+", license.replace(links[0], " ").lower() if links else license.lower())
    name = {"license_name": "-".join(words)[:80]} if words else {}
    return {"license": "other", **name, **({"license_link": links[0]} if links else {})}


def _code(text: str) -> str:
    if not text:
        return ""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if text[0] in "` " or text[-1] in "` " else ""  # one of each is taken away again
    return f"{fence}{pad}{text}{pad}{fence}" if text.strip() else text


def _picture_name(number: int) -> str:
    return f"{ASSETS}/sample-{number}.jpg"


def _picture(workspace: Workspace, sample: Sample) -> bytes:
    """Draw a sample's masks on its picture, as a JPEG of at most `PICTURE_SIDE` pixels a side."""
    pixels = read_reduced(workspace.blobs.read(sample.image_id), sample.image_id, PICTURE_SIDE)
    drawn = overlay(pixels, [instance.mask for instance in sample.instances], [], side=PICTURE_SIDE)
    file = io.BytesIO()
    PilImage.fromarray(drawn).save(file, "JPEG", quality=88)
    return file.getvalue()


def _text(workspace: Workspace, release: Release, counts: Counts) -> str:
    data = DatasetCardData(**_metadata(workspace, release, counts))
    front = data.to_yaml(line_break="\n")
    body = "\n\n".join(part for part in _parts(workspace, release, counts) if part)
    return f"---\n{front}\n---\n\n{body}\n"


def _metadata(workspace: Workspace, release: Release, counts: Counts) -> dict[str, Any]:
    settings = workspace.settings
    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in SPLITS if release.splits.get(split)]
    return {
        "pretty_name": release.name,
        **license_fields(settings.license),
        **({"language": list(settings.languages)} if settings.languages else {}),
        "annotations_creators": sorted({_CREATORS.get(kind, "expert-generated") for kind, _ in counts.masks}) or None,
        "size_categories": [next((name for bound, name in _SIZES if release.samples < bound), "n>10M")],
        "task_categories": ["image-segmentation", "visual-question-answering"],
        "tags": ["reasoning-segmentation", "referring-segmentation", "whyseg"],
        "configs": [{"config_name": "default", "data_files": files, "default": True}],
    }


def _parts(workspace: Workspace, release: Release, counts: Counts) -> Iterable[str]:
    yield f"# {release.name}"
    yield (
        "Reasoning segmentation: an image, an implicit question about it, and the pixels that answer it. "
        f"{_many(release.samples, 'sample')} on {_many(release.images, 'image')}, made with whyseg {__version__}."
    )
    yield _gallery(counts.shown)
    yield from ("## What it holds", _split_table(release, counts))
    yield from ("Samples by type of reasoning and depth, the number of steps from question to target:", _matrix(counts))
    yield from ("## Masks", _masks(counts))
    yield from ("## How it was made", _making(release, counts))
    yield from ("## Splits", _splitting(release.notes))
    yield from ("## Licences", _licences(workspace.settings.license, counts))
    yield from ("## Known limits", LIMITS)
    yield from ("## Columns", COLUMNS)
    yield from ("## Loading", LOADING.format(name=release.name))
    yield from ("## Verifying", f"Release `{release.name}` has the hash\n\n```\n{release.hash}\n```", VERIFYING)


def _gallery(shown: Sequence[Sample]) -> str:
    lines = list[str]()
    width = min(_IN_A_ROW, len(shown))
    for start in range(0, len(shown), _IN_A_ROW):
        row = list(enumerate(shown[start : start + _IN_A_ROW], start + 1))
        blank = [""] * (width - len(row))
        lines.append(_row([*(f"![Sample {number}]({_picture_name(number)})" for number, _ in row), *blank]))
        if not start:
            lines.append(_row([":---:"] * width))
        lines.append(_row([*(quoted(sample.query.text) if sample.query else "" for _, sample in row), *blank]))
    return "\n".join(lines)


def _split_table(release: Release, counts: Counts) -> str:
    rows = [
        (split, counts.samples[split], counts.images[split], counts.no_target[split])
        for split in SPLITS
        if counts.samples[split]
    ]
    total = ("total", *(sum(column) for column in list(zip(*rows, strict=True))[1:])) if len(rows) > 1 else ()
    head = ("split", "samples", "images", "no-target samples")
    return _table(head, [*rows, *([total] if total else [])])


def _matrix(counts: Counts) -> str:
    depths = [*range(1, MAX_DEPTH + 1), *([None] if any(depth is None for _, depth in counts.matrix) else [])]
    kinds = [*ReasoningType, *([None] if any(kind is None for kind, _ in counts.matrix) else [])]
    rows = []
    for kind in kinds:
        cells = [counts.matrix[kind, depth] for depth in depths]
        rows.append((kind.value.replace("_", " ") if kind else "not stated", *cells, sum(cells)))
    head = ("type", *(f"depth {depth}" if depth else "not stated" for depth in depths), "all")
    return _table(head, rows)


def _masks(counts: Counts) -> str:
    several = sum(number for instances, number in counts.instances.items() if instances > 3)
    head = ("instances a sample", "0", "1", "2", "3", "4 or more")
    first = _table(head, [("samples", *(counts.instances[number] for number in range(4)), several)])
    bounds = [f"{share * 100:g}\N{NO-BREAK SPACE}%" for share in SHARES]
    bins = [f"to {bounds[0]}", *(f"to {bound}" for bound in bounds[1:]), f"over {bounds[-1]}"]
    second = _table(
        ("share of the picture", *bins), [("instances", *(counts.areas[number] for number in range(len(bins))))]
    )
    ignoring = f"{_many(counts.ignoring, 'sample')} with a region that neither belongs to the target nor to the rest."
    return "\n\n".join([first, second, *([ignoring] if counts.ignoring else [])])


def _making(release: Release, counts: Counts) -> str:
    frozen = "accepted samples only" if release.states == "accepted" else "all samples, whatever their state"
    lines = [f"* Frozen: {frozen}."]
    if counts.reviewed:
        decisions = ", ".join(f"{number} × {decision}" for decision, number in sorted(counts.decisions.items()))
        lines.append(
            f"* Reviewed: {_many(counts.reviewed, 'sample')} by {_many(counts.reviewers, 'reviewer')} ({decisions})."
        )
    else:
        lines.append("* Reviewed: none of the frozen revisions has a review.")
    tables = [
        _origins("question written by", counts.questions),
        _origins("mask made by", counts.masks),
        _table(("source", "samples"), _most(counts.sources)),
    ]
    if counts.retouched:
        lines.append(f"* Of the masks that a tool made, {counts.retouched} were changed by hand afterwards.")
    return "\n\n".join(["\n".join(lines), *tables])


def _origins(what: str, counts: Counter[tuple[str, str | None]]) -> str:
    rows = [(kind, quoted(model) if model else "", number) for kind, model, number in rows_of(counts)]
    return _table((what, "model", "number"), rows[:_NAMED]) if rows else ""


def _splitting(notes: Sequence[str]) -> str:
    return f"{SPLITTING} Not kept:\n\n" + "\n".join(f"* {quoted(note)}" for note in notes) if notes else SPLITTING


def _licences(license: str, counts: Counts) -> str:
    stated = f"Annotations (questions, masks, hops): {quoted(license)}." if license.strip() else (
        "The licence of the annotations is not stated."
    )  # fmt: skip
    rows = [(quoted(key) if key else "not stated", number) for key, number in _ranked(counts.licenses)]
    more = sum(number for _, number in rows[_NAMED:])
    shown = [*rows[:_NAMED], *([("others", more)] if more else [])]
    return f"{stated}\n\nThe images keep their own licences:\n\n{_table(('licence of the images', 'images'), shown)}"


def _most(counts: Counter[str]) -> list[tuple[str, int]]:
    return [(quoted(key or ""), number) for key, number in _ranked(counts)][:_NAMED]


def _ranked(counts: Counter[Any]) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0] or ""))


def _table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Return a table, figures to the right. Cells hold what is safe in them already."""
    rows = list(rows)
    rule = ["---:" if all(isinstance(row[column], int) for row in rows) else "---" for column in range(len(head))]
    return "\n".join([_row(head), _row(rule), *map(_row, rows)])


def _row(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
