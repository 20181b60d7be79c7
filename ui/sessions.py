"""The gate before every route, Gradio's and the static files' too: it finds out who asks, and keeps everybody else out.

A session is a random token in a cookie that scripts cannot read (HttpOnly) and that other sites' pages do not send
along when they write (SameSite=Lax, and `guards.SameOrigin` refuses them anyhow). Under https the cookie is Secure and
bound to this very host (``__Host-``). The token says nothing and is worth nothing unless the database knows its digest.
"""

from datetime import timedelta
from functools import partial
from urllib.parse import quote, urlencode

import anyio
import anyio.to_thread
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from whyseg.curation.sessions import ABSOLUTE, Sessions
from whyseg.schemas.errors import WhysegError
from whyseg.schemas.user import User
from whyseg.ui.failures import answer_of, failure
from whyseg.ui.guards import BodyLimit
from whyseg.ui.roles import Member

# All that is shown to whoever is not signed in.
OPEN = frozenset(
    ("/login", "/api/v1/login", "/static/login.css", "/static/login.js", "/static/icon.svg", "/favicon.ico", "/healthz")
)
OPEN_BODY = 2**14  # bytes that somebody may send who is not signed in: a name and a password
LOOKUPS = 8  # sessions that are looked up at once; their threads are their own, so that no click keeps them waiting


class Alone:
    """The gate of a server for one person: whoever asks is that one."""

    def __init__(self, app: ASGIApp, member: Member) -> None:
        self.app = app
        self.member = member

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say who asks, and pass the request on."""
        await self.app({**scope, "member": self.member}, receive, send)


class Gate:
    """The gate of a team's server: only who is signed in gets through, but for what is `OPEN`."""

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self.app = app
        self.open = BodyLimit(app, OPEN_BODY)
        self.sessions = sessions
        self._limiter: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say who asks and pass the request on; else lead a page to the login, and answer 401 to everything else."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if path_of(scope) in OPEN:
            await self.open(scope, receive, send)
            return
        try:
            user = await self._user(scope)
        except WhysegError as error:
            await answer_of(error)(scope, receive, send)
            return
        if user is None:
            await _unknown(scope)(scope, receive, send)
        else:
            await self.app({**scope, "member": Member(user.name, user.role)}, receive, send)

    async def _user(self, scope: Scope) -> User | None:
        token = token_of(HTTPConnection(scope))
        if token is None:
            return None
        self._limiter = self._limiter or anyio.CapacityLimiter(LOOKUPS)
        # An open page renews its lease by itself; that its user works is told by everything else.
        touch = not path_of(scope).endswith("/lease")
        return await anyio.to_thread.run_sync(partial(self.sessions.find, token, touch=touch), limiter=self._limiter)


def path_of(scope: Scope) -> str:
    """Return the path below the place that the application is served at."""
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


def token_of(connection: HTTPConnection) -> str | None:
    """Return the session's token that a request brings, if any."""
    return connection.cookies.get(_cookie(connection))


def hand_out(response: Response, connection: HTTPConnection, token: str) -> None:
    """Put a session's token into the browser."""
    _set(response, connection, token, ABSOLUTE)


def take_back(response: Response, connection: HTTPConnection) -> None:
    """Have the browser forget the token."""
    _set(response, connection, "", timedelta())


def _set(response: Response, connection: HTTPConnection, token: str, life: timedelta) -> None:
    secure, seconds = _is_secure(connection), int(life.total_seconds())
    response.set_cookie(
        _cookie(connection), token, max_age=seconds, path="/", secure=secure, httponly=True, samesite="lax"
    )


def _cookie(connection: HTTPConnection) -> str:
    return "__Host-whyseg" if _is_secure(connection) else "whyseg"


def _is_secure(connection: HTTPConnection) -> bool:
    return connection.scope["scheme"] in ("https", "wss")  # what a proxy on this machine says counts


def _unknown(scope: Scope) -> Response:
    connection = HTTPConnection(scope)
    page = scope["type"] == "http" and scope["method"] == "GET" and "text/html" in connection.headers.get("accept", "")
    if not page:
        return failure(401, "not_signed_in", "sign in first")
    asked = quote(path_of(scope)) + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
    wanted = urlencode({"next": asked.lstrip("/")})
    return RedirectResponse(f"{scope.get('root_path', '')}/login?{wanted}", 303, headers={"cache-control": "no-store"})
