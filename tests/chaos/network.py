"""A network that is cut within a push, after any number of bytes."""

import contextlib
import socket
import threading
from collections.abc import Iterator

from tests.chaos.commands import filled
from tests.chaos.process import run
from tests.chaos.record import Lab, Outcome
from tests.hub import TOKEN, FakeHub

REPO = "ann/cups"


class Wire:
    """A way to a server that ends after so many bytes, counted over all connections and both directions."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.left = 0
        self.passed = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Let nobody in any more."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if self.left <= 0:
                    near.close()
                    continue
                far = socket.create_connection(self.target)
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(4096):
                with self._lock:
                    some = data[: max(0, self.left)]
                    self.left -= len(data)
                    self.passed += len(some)
                other.sendall(some)
                if len(some) < len(data):
                    break
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def wired() -> Iterator[tuple[FakeHub, Wire]]:
    """Give a Hub, and the way to it."""
    with FakeHub().running() as hub:
        host, port = hub.url.removeprefix("http://").split(":")
        wire = Wire((host, int(port)))
        hub.url = wire.url  # where it sends uploads, too
        try:
            yield hub, wire
        finally:
            wire.close()


def cut(lab: Lab) -> Outcome:
    """A network that ends at a random byte of ``whyseg push``, until one push gets through."""
    path = filled(lab, 30)
    lost, wrong, tried = list[str](), list[str](), 0
    with wired() as (hub, wire):
        env = {"HF_ENDPOINT": wire.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_TELEMETRY": "1"}
        words = ("push", "v1", REPO, "--workspace", path)
        wire.left = 10**12
        done = run(*words, env=env)
        wrong += [] if done.code == 0 else [f"an undisturbed push failed: {done.err[-300:]}"]
        whole, size = dict(hub.repos[REPO].at("v1")), wire.passed
        told = 1
        for _ in lab.rounds(1, 8):
            hub.repos.clear()
            hub.large.clear()
            while True:
                wire.left = lab.random.randrange(size)
                done = run(*words, env=env)
                tried += 1
                wrong += _half(hub, whole)
                if done.code == 0:
                    wrong += [] if "v1" in hub.repos[REPO].tags else ["a push was done, and its tag is not there"]
                    told += 1
                    break
                wrong += [] if done.refusal else [f"the push said: {done.err[-300:]}"]
                if tried % 3 == 0:
                    wire.left = 10**12
                    done = run(*words, env=env)
                    told += 1
                    if done.code or hub.repos[REPO].at("v1") != whole:
                        lost.append(f"the push after the cut ones: {done.err[-300:]}")
                    break
    return Outcome(
        fault="push-cut", tried=tried, acknowledged=told, lost=tuple(lost), wrong=tuple(wrong),
        seen=f"pushes that said they were done, of {len(whole)} files and {size:,} bytes; no tag ever stood on less",
    )  # fmt: skip


def _half(hub: FakeHub, whole: dict[str, bytes]) -> list[str]:
    repo = hub.repos.get(REPO)
    if repo is None or "v1" not in repo.tags:
        return []
    return [] if repo.at("v1") == whole else ["the tag stands on something else than the release"]
