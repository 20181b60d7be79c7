"""What stands before every route, Gradio's too: no foreign page reads or writes, no body is endless.

The server trusts whoever reaches it on this machine, and a browser on this machine reaches it for any web page. So a
request must name a host of ours (a page whose name was rebound to 127.0.0.1 names its own), and must not come from
another origin: browsers say so themselves, in ``Origin`` and ``Sec-Fetch-Site``. Gradio would answer any origin with
credentials; it stays silent where the outer application has a ``CORSMiddleware``, and ours allows no origin at all.
"""

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from whyseg.ui.failures import failure

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
MAX_BODY = 32 * 2**20  # bytes: the worst mask of 12 megapixels, pixel noise, has 12 MB of run lengths
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Gradio's pages need inline scripts and eval. Nothing needs another host, so text that slips through reaches none.
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; frame-ancestors 'none'; object-src 'none'; "
    "base-uri 'self'; form-action 'self'",
}


def guard(app: FastAPI, *, hosts: Sequence[str] = LOOPBACK, max_body: int = MAX_BODY) -> None:
    """Put the guards before everything that the application serves or mounts."""
    app.add_middleware(CORSMiddleware, allow_origins=[])
    app.add_middleware(SameOrigin)
    app.add_middleware(BodyLimit, max_body=max_body)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    app.add_middleware(SecurityHeaders)


def is_foreign(method: str, headers: Headers) -> bool:
    """Tell whether a request was caused by a page of another origin; links that lead here are not foreign.

    Requests that say nothing about it come from no browser.
    """
    site, mode, target = (headers.get(f"sec-fetch-{name}") for name in ("site", "mode", "dest"))
    if site not in (None, "same-origin", "none") and not (
        method in SAFE and mode == "navigate" and target == "document"
    ):
        return True
    origin = headers.get("origin")
    return method not in SAFE and origin is not None and origin.partition("://")[2] != headers.get("host")


class SameOrigin:
    """Refuses what other origins' pages ask for."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403."""
        if scope["type"] in ("http", "websocket") and is_foreign(scope.get("method", "POST"), Headers(scope=scope)):
            answer = failure(403, "foreign_origin", "a page of another origin asked for this")
            await answer(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class BodyLimit:
    """Refuses bodies of more than ``max_body`` bytes, whether they say so or just go on."""

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self.app = app
        self.max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 413."""
        if scope["type"] != "http" or scope["method"] in SAFE:
            await self.app(scope, receive, send)
            return
        message = f"a request's body may have {self.max_body} bytes"
        stated = Headers(scope=scope).get("content-length", "")
        if stated.isdecimal() and int(stated) > self.max_body:
            await failure(413, "body_too_large", message)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            part = await receive()
            received += len(part.get("body", b""))
            if received > self.max_body:
                raise HTTPException(413, message)
            return part

        await self.app(scope, counted, send)


class SecurityHeaders:
    """Adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back with the headers."""

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, sealed if scope["type"] == "http" else send)
