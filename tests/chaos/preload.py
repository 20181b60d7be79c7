"""The library that slows the disk and moves the clock of a process: ``preload.c``, compiled where it is used."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.chaos.record import Skipped

SLOW, CLOCK = "WHYSEG_CHAOS_SLOW", "WHYSEG_CHAOS_CLOCK"
_SHOWS = "import time; print(int(time.time()))"


def built(folder: Path) -> Path:
    """Compile the library into a folder; raises ``Skipped`` without a compiler, or where it has no effect."""
    compiler = shutil.which("cc")
    if not (compiler and sys.platform == "linux"):
        raise Skipped("needs Linux and a C compiler")
    library, moved = folder / "preload.so", folder / "tried"
    source = Path(__file__).with_suffix(".c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    moved.write_text("1000000")
    env = {**os.environ, "LD_PRELOAD": str(library), CLOCK: str(moved)}
    shown = subprocess.run([sys.executable, "-c", _SHOWS], env=env, capture_output=True, text=True, check=True).stdout
    plain = subprocess.run([sys.executable, "-c", _SHOWS], capture_output=True, text=True, check=True).stdout
    if int(shown) - int(plain) < 900_000:
        raise Skipped("this Python asks the system past libc")
    return library
