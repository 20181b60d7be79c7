"""What a check is, and what it says."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from whyseg.schemas import Finding, Sample, Split, content_hash

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Remark:
    """What a check says about a sample.

    ``key`` tells the remarks of one check on one sample apart, and stays the same while the cause does; ``evidence``
    says where: an ``instance``, a ``box`` (half-open, x0, y0, x1, y1), a ``point`` (x, y), other samples or images.
    """

    message: str
    key: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """A check of one sample at a time; its name is the kind of its findings."""

    name: str
    severity: Severity
    look: Callable[[Sample], Iterator[Remark]]


class Seen(NamedTuple):
    """What checks of many samples need of one."""

    sample_id: str
    image_id: str
    text: str | None
    split: Split | None


class Pictures(NamedTuple):
    """The pictures' near-duplicates, and the splits that they have in releases.

    ``group``: of each picture, the first in the order of adding of those that show the same, itself included.
    """

    group: dict[str, str]
    released: dict[str, Split]


@dataclass(frozen=True)
class SetCheck:
    """A check of all samples beside each other, in the order of adding; it yields what it says about which."""

    name: str
    severity: Severity
    look: Callable[[list[Seen], Pictures], Iterator[tuple[Seen, Remark]]]


def finding(check: Check | SetCheck, sample_id: str, image_id: str, remark: Remark, at: datetime) -> Finding:
    """Return a remark as a finding; the same remark has the same id in every run."""
    return Finding(
        id=content_hash([check.name, sample_id, remark.key]),
        kind=check.name,
        severity=check.severity,
        message=remark.message,
        sample_id=sample_id,
        image_id=image_id,
        evidence=remark.evidence,
        created_at=at,
    )
