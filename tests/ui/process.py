"""A real server in a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx


class ServerProcess:
    """``whyseg serve`` on a workspace; a context manager. ``url`` is the address that it printed."""

    def __init__(self, workspace: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        command = ["serve", "--workspace", str(workspace), "--port", "0", "--segmenter", "grabcut", *arguments]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "whyseg", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(env or {})},
        )  # fmt: skip
        assert self.process.stdout
        self.said = self.process.stdout.readline()
        found = re.search(r"http://\S+", self.said)
        if not found:
            raise AssertionError(f"no address in {self.said!r}: {self.process.communicate()[1]}")
        self.url = found[0].rstrip("/")

    def client(self) -> httpx.Client:
        """Return a client of this server."""
        return httpx.Client(base_url=self.url, timeout=30)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        self.process.communicate(timeout=30)
        return self.process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
