"""What a look at one part of an installation found."""

from typing import Literal

from whyseg.schemas.record import Record

Level = Literal["ok", "warning", "problem"]


class Finding(Record):
    """One line: how it stands with something, in words, and what to do about it, mostly a command.

    ``problem``: something does not work; ``warning``: something will not, or works less well than it could. What is
    merely not there, such as an extra, is ``ok`` and may still have a ``mend``.
    """

    level: Level
    what: str
    says: str
    mend: str | None = None
