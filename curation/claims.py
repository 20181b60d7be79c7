"""Who has a workspace open: a lock on its folder, which all who use it share, and which a restore needs for itself.

The lock is the process's and dies with it. A file system without locks, as some network shares are, keeps nobody out.
"""

import fcntl
import os
import weakref
from contextlib import suppress
from pathlib import Path

from whyseg.schemas.errors import StoreUnavailable


class Claim:
    """A hold on a workspace's folder until `close`; ``alone``: only where nobody else has one.

    Raises ``StoreUnavailable`` when somebody else's does not allow it.
    """

    def __init__(self, folder: Path, *, alone: bool = False) -> None:
        handle = os.open(folder, os.O_RDONLY)
        self._end = weakref.finalize(self, os.close, handle)
        try:
            with suppress(OSError):
                _lock(handle, folder, alone=alone)
        except StoreUnavailable:
            self.close()
            raise

    def close(self) -> None:
        """Give the hold up."""
        self._end()


def _lock(handle: int, folder: Path, *, alone: bool) -> None:
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        if alone:
            raise StoreUnavailable(
                f"{folder} is in use: end the server and all other whyseg processes that have it open first"
            ) from None
        raise StoreUnavailable(f"{folder} is being replaced by a restore at this moment; try again") from None
