"""Signing in and out: the page, the routes, and what keeps passwords from being guessed."""

import ipaddress
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from whyseg.curation.sessions import Sessions
from whyseg.curation.users import PASSWORD_LENGTHS, Users, key_of
from whyseg.schemas.errors import TooManyLogins
from whyseg.schemas.user import User
from whyseg.ui.routes.strict import StrictRoute
from whyseg.ui.sessions import hand_out, take_back, token_of

PAGE = Path(__file__).parent / "static" / "login.html"
AT_ONCE = 2  # passwords compared at once: each takes 64 MiB and all cores for a while
PATIENCE = 10.0  # seconds that a login waits for its turn
FORGET = 3600.0  # seconds without an attempt after which it begins anew
MOST = 10_000  # names and addresses that are remembered


class Limit(NamedTuple):
    """How many attempts in a row are free, and the longest wait, in seconds, between those after them."""

    free: int
    longest: float


# A person mistypes; an office shares one address. A name's wait stays short: whoever knows it can cause it.
BY_NAME, BY_ADDRESS = Limit(5, 60), Limit(20, 900)


class _Tries(NamedTuple):
    failed: int
    at: float
    until: float


class Throttle:
    """Makes whoever tries passwords wait: twice as long after every failed attempt, by name and by address.

    An attempt counts as failed from its beginning, so that many at once are no way around.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tries: dict[tuple[str, str], _Tries] = {}

    def enter(self, name: str, address: str) -> None:
        """Begin an attempt; raises ``TooManyLogins`` while it is too early for one."""
        now = self._clock()
        keys = {("name", key_of(name)): BY_NAME, ("address", network(address)): BY_ADDRESS}
        with self._lock:
            tries = {key: self._known(key, now) for key in keys}
            wait = max(one.until for one in tries.values()) - now
            if wait > 0:
                raise TooManyLogins(int(wait) + 1)
            for key, limit in keys.items():
                self._tries.pop(key, None)  # the newest comes last
                self._tries[key] = _after(tries[key].failed + 1, now, limit)
            while len(self._tries) > MOST:
                del self._tries[next(iter(self._tries))]

    def passed(self, name: str, address: str) -> None:
        """End an attempt that succeeded: its name begins anew, its address is only spared this one.

        Else somebody with a password of their own could try others' for ever.
        """
        now = self._clock()
        key = ("address", network(address))
        with self._lock:
            self._tries.pop(("name", key_of(name)), None)
            if known := self._tries.get(key):
                self._tries[key] = _after(known.failed - 1, now, BY_ADDRESS)

    def _known(self, key: tuple[str, str], now: float) -> _Tries:
        known = self._tries.get(key)
        return known if known and now - known.at < FORGET else _Tries(0, now, now)


def _after(failed: int, now: float, limit: Limit) -> _Tries:
    over = failed - limit.free
    return _Tries(failed, now, now + (min(2.0 ** min(over, 20), limit.longest) if over > 0 else 0.0))


def network(address: str) -> str:
    """Return whom an address stands for: an IPv4 address itself, an IPv6 address' /64, which is one customer.

    >>> network("192.0.2.7"), network("2001:db8:1:2:3::4"), network("::ffff:192.0.2.7")
    ('192.0.2.7', '2001:db8:1:2::', '192.0.2.7')
    """
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known, 64), strict=False).network_address)


class Login(BaseModel):
    """A name and a password."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    name: Annotated[str, Field(max_length=200)]
    password: Annotated[str, Field(max_length=PASSWORD_LENGTHS.stop - 1)]


class Logins:
    """Lets the users of a workspace in and out."""

    def __init__(self, users: Users, sessions: Sessions, throttle: Throttle | None = None) -> None:
        self.users = users
        self.sessions = sessions
        self.throttle = throttle or Throttle()
        self._turns = threading.BoundedSemaphore(AT_ONCE)
        _ = users.unknown  # made now, so that the first unknown name takes as long as any other

    def router(self) -> APIRouter:
        """Return the routes, which need nobody to be signed in."""
        router = APIRouter(tags=["login"], route_class=StrictRoute)
        router.get("/login", include_in_schema=False)(self.page)
        router.post("/api/v1/login")(self.login)
        router.post("/api/v1/logout")(self.logout)
        return router

    def page(self) -> FileResponse:
        """Return the page that asks for name and password."""
        return FileResponse(PAGE, headers={"cache-control": "no-store"})

    def login(self, body: Login, request: Request) -> JSONResponse:
        """Sign in, under a new session whatever the browser had; one that it had is over."""
        user = self.check(body.name, body.password, request)
        if former := token_of(request):
            self.sessions.end(former)
        answer = JSONResponse({"user": user.name, "role": user.role.value})
        hand_out(answer, request, self.sessions.start(user))
        return answer

    def check(self, name: str, password: str, request: Request) -> User:
        """Return the user whose name and password these are.

        Raises ``WrongLogin``, and ``TooManyLogins`` when it was tried too often, or is tried too often at once.
        """
        address = request.client.host if request.client else ""
        self.throttle.enter(name, address)
        if not self._turns.acquire(timeout=PATIENCE):
            raise TooManyLogins(int(PATIENCE))
        try:
            user = self.users.authenticate(name, password)
        finally:
            self._turns.release()
        self.throttle.passed(name, address)
        return user

    def logout(self, request: Request) -> JSONResponse:
        """Sign out; pictures that the browser keeps are forgotten where it can be told so (https)."""
        if token := token_of(request):
            self.sessions.end(token)
        answer = JSONResponse({}, headers={"clear-site-data": '"cache"'})
        take_back(answer, request)
        return answer
