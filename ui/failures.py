"""Failures as HTTP answers: ``{"error": KIND, "message": TEXT, …facts}``, KIND the snake-case name of the error."""

import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from whyseg.schemas import errors
from whyseg.schemas.errors import WhysegError

# The nearest base class decides.
STATUS: dict[type[WhysegError], int] = {
    errors.UsageError: 400,
    errors.InvalidRecord: 422,
    errors.RefusedInput: 422,
    errors.RefusedImage: 415,
    errors.NotFound: 404,
    errors.StaleParent: 409,
    errors.IllegalTransition: 409,
    errors.LeaseHeld: 409,
    errors.LeaseLost: 409,
    errors.Incomplete: 422,
    errors.AlreadyRunning: 409,
    errors.Busy: 503,
    errors.DrafterError: 503,
    errors.StoreUnavailable: 503,
    errors.SegmenterError: 503,
    errors.WrongLogin: 401,
    errors.TooManyLogins: 429,
    errors.Forbidden: 403,
    errors.LastCurator: 409,
    WhysegError: 500,
}

KINDS = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}  # of what the framework refuses


def kind_of(error: WhysegError) -> str:
    """Return an error's name as clients see it.

    >>> kind_of(errors.StaleParent("s", "b", "a"))
    'stale_parent'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(error).__name__).lower()


def status_of(error: WhysegError) -> int:
    """Return the HTTP status of an error, by its nearest class in `STATUS`."""
    return next(STATUS[base] for base in type(error).__mro__ if base in STATUS)


def failure(status: int, kind: str, message: str, /, **facts: Any) -> JSONResponse:
    """Build an answer that says what went wrong; what is no Unicode text in it is escaped."""
    text = message.encode("utf-8", "backslashreplace").decode()
    return JSONResponse({"error": kind, "message": text, **facts}, status)


def answer_of(error: WhysegError, **more: Any) -> JSONResponse:
    """Build the answer of an error, with its attributes as facts."""
    answer = failure(status_of(error), kind_of(error), str(error), **vars(error), **more)
    if isinstance(error, errors.TooManyLogins):
        answer.headers["retry-after"] = str(error.seconds)
    return answer


def register(app: FastAPI) -> None:
    """Make every failure of the application answer in this form."""

    @app.exception_handler(WhysegError)
    async def foreseen(request: Request, error: WhysegError) -> JSONResponse:
        return answer_of(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first, *rest = error.errors()
        where = ".".join(str(part) for part in first["loc"])
        more = f"; and {len(rest)} more" if rest else ""
        return failure(422, "invalid_record", f"{where}: {first['msg'].removeprefix('Value error, ')}{more}")

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        kind = KINDS.get(error.status_code, "bad_request")
        answer = failure(error.status_code, kind, f"{request.method} {request.url.path}: {error.detail}")
        answer.headers.update(error.headers or {})
        return answer
