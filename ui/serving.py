"""Running the server on this machine: where it listens, when it says so, how it ends."""

import ipaddress
import re
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from types import FrameType

import uvicorn

from whyseg.curation.clicks import ClickService
from whyseg.curation.drafting.base import Drafter
from whyseg.curation.segmenters.choose import NAMES, choose
from whyseg.curation.segmenters.kept import KeptEmbeddings
from whyseg.curation.segmenters.weights import find
from whyseg.curation.sessions import Sessions
from whyseg.curation.users import Users
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import UsageError
from whyseg.ui.asking import Asking, Load
from whyseg.ui.guards import LOOPBACK
from whyseg.ui.loading import LateSegmenter, Told
from whyseg.ui.login import Logins
from whyseg.ui.pictures import Pictures
from whyseg.ui.server import build_server

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
# Seconds that a thread which computes may keep the interpreter from others. A request takes five turns of threads, and
# with Python's own 0.005 each of them may wait that long for the decoder.
SWITCH = 0.0005
GRACE = 2  # seconds that open connections get at the end; a page of Gradio's holds one for as long as it is open


def serve(
    workspace: Workspace,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    segmenter: str = "auto",
    model: str | None = None,
    user: str = "local",
    team: bool = False,
    names: Sequence[str] = (),
    drafter: Drafter | None = None,
    policy: Load | None = None,
    ready: Told = print,
    told: Told = print,
) -> None:
    """Serve a workspace until Ctrl+C or SIGTERM; call from the main thread.

    ``port`` 0 takes any free one. ``segmenter`` and ``model`` as for `segmenters.choose`; it is loaded when the server
    answers already. ``team`` lets nobody in but the workspace's users; without it everybody is ``user``. ``names`` are
    those by which browsers reach this machine, besides ``host``. ``drafter`` proposes questions, rules by default;
    ``policy`` brings what people may ask, and is called when the server answers already. ``ready`` gets the address as
    soon as the server answers, ``told`` one sentence on each model. Raises ``UsageError`` for an address that other
    machines reach without ``team``, a team without users, a port that is taken, an unknown segmenter or model.
    """
    allowed = allowed_hosts(host, names, team=team)
    logins = make_logins(workspace) if team else None
    require_known(segmenter, model)
    late = LateSegmenter(lambda told: choose(segmenter, model=model, told=told), told)
    kept = KeptEmbeddings(workspace.cache / "embeddings")
    clicks = ClickService(late, Pictures(workspace).pixels, kept=kept)
    asking = Asking(policy, told, after=late.wait)
    with listen(host, port) as listener:
        app = build_server(
            workspace, clicks, user=user, team=logins, hosts=allowed, describe=late.describe, drafter=drafter,
            asking=asking,
        )  # fmt: skip
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, lifespan="on",
            timeout_graceful_shutdown=GRACE,
        )  # fmt: skip

        def announce() -> None:
            ready(f"http://{_bracketed(host)}:{listener.getsockname()[1]}/")
            late.start()

        def end() -> None:
            late.close()
            asking.close()
            app.state.drafting.close()

        _run(_Server(config, announce, end), listener)


def allowed_hosts(host: str, names: Sequence[str], *, team: bool) -> tuple[str, ...]:
    """Return the names that requests may give the server; a page whose name was bound to its address gives another.

    Raises ``UsageError`` for an address that other machines reach without ``team``, for one that stands for all of this
    machine's without a name, and for what is no name.
    """
    for name in names:
        if not NAME.fullmatch(name) and not _is_address(name):
            raise UsageError(f"--name takes a host's name or address alone, such as team.example, got {name!r}")
    if not _is_loopback(host):
        if not team:
            raise UsageError(
                f"--host {host} would let other machines in, and that needs logins: --team; "
                "or use 127.0.0.1, and an SSH tunnel to reach it from elsewhere"
            )
        if host in ("0.0.0.0", "::", "") and not names:
            raise UsageError(f"--host {host} is every address of this machine: say with --name what browsers call it")
    return (*LOOPBACK, *(_bracketed(name) for name in (host, *names) if name))


def make_logins(workspace: Workspace) -> Logins:
    """Return what lets a workspace's users in; raises ``UsageError`` when nobody could sign in."""
    database = workspace.store.database
    users = Users(database)
    if all(user.disabled for user in users.list()):
        raise UsageError("--team needs users: whyseg users add NAME --role curator")
    return Logins(users, Sessions(database))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def require_known(segmenter: str, model: str | None) -> None:
    """Raise ``UsageError`` for a segmenter or a model that nobody knows, before anything is loaded."""
    if segmenter not in NAMES:
        raise UsageError(f"no segmenter {segmenter!r}; there are {', '.join(NAMES)}")
    if model is not None:
        find(model)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises ``UsageError`` when the port is taken or not allowed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named, else an answer waits 40 ms for an ACK
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot listen on {host} port {port}: {reason}; --port 0 takes a free one") from error
    return listener


class _Server(uvicorn.Server):
    """A server that says when it answers, and at its end keeps no click waiting for a model."""

    def __init__(self, config: uvicorn.Config, answering: Callable[[], None], ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._answering, self._ending = answering, ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._answering()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        await super().shutdown(sockets)


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    """Run until a signal; uvicorn raises it again when all is done, and that is no error here."""

    def done(number: int, frame: FrameType | None) -> None:
        """Let the process end by returning from `serve`."""

    before = {number: signal.signal(number, done) for number in (signal.SIGINT, signal.SIGTERM)}
    switch = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        server.run(sockets=[listener])
    finally:
        sys.setswitchinterval(switch)
        for number, handler in before.items():
            signal.signal(number, handler)
