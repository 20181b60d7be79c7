"""What trying a fault gives, and what it is tried in."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from whyseg.schemas.record import Record


class Skipped(Exception):
    """The fault cannot be made on this machine; the text says what is missing."""


class Outcome(Record):
    """What happened under one fault.

    ``tried``: how often the fault happened. ``acknowledged``: what had been told to be done until then; ``lost``: which
    of it is gone. ``wrong``: what else should not be. ``seen``: what was looked at, in words.
    """

    fault: str
    what: str = ""
    tried: int = 0
    acknowledged: int = 0
    lost: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    seen: str = ""
    skipped: str = ""
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether nothing is lost and nothing wrong."""
        return not self.lost and not self.wrong


@dataclass(frozen=True)
class Lab:
    """Where a fault is tried: an empty folder, random numbers of its own, and until when (``time.monotonic``)."""

    folder: Path
    random: random.Random
    until: float

    def rounds(self, least: int, most: int) -> Iterator[int]:
        """Count rounds: ``least``, and more up to ``most`` while there is time."""
        for number in range(most):
            if number >= least and time.monotonic() > self.until:
                return
            yield number

    def pause(self, least: float, most: float) -> None:
        """Wait for a random time, in seconds."""
        time.sleep(self.random.uniform(least, most))


Fault = Callable[[Lab], Outcome]
