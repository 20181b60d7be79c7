"""The description of the routes (OpenAPI): FastAPI's own, with what every route answers and how it refuses.

FastAPI describes what a route takes, and a form of 422 that is not ours. A refusal's status follows from what a
request can be refused for, so it is worked out from the operation, for every route that there is.
"""

import re
from typing import Any

from fastapi import FastAPI

from whyseg.ui.answers import answer_schema
from whyseg.ui.roles import PREFIX
from whyseg.ui.sessions import OPEN

FAILURE = {
    "title": "Failure",
    "description": "Why a request is refused; what else is known of it stands beside these two.",
    "type": "object",
    "required": ["error", "message"],
    "properties": {
        "error": {"type": "string", "pattern": "^[a-z_]+$", "description": "the kind of refusal"},
        "message": {"type": "string", "description": "a sentence for people"},
    },
    "additionalProperties": True,
}
REASONS = {
    400: "the request names another host, or its body is no JSON",
    401: "nobody is signed in, or name and password are wrong",
    403: "the role does not allow it, or a page of another origin asks",
    404: "there is no such thing",
    409: "somebody was faster, has the lease, or the state does not allow it",
    413: "the body is too large",
    415: "the stored picture is broken",
    422: "a value that the route does not take",
    429: "too many attempts to sign in",
    503: "the database or the model cannot be used now, or too many wait for it; try again",
}
PICTURES = {  # routes that answer with a picture, by the end of their path
    "/thumbnail": ("image/jpeg",),
    "/picture": ("image/jpeg",),
    "/ask/pictures/{image_id}": ("image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"),
    "/images/{image_id}": ("image/jpeg", "image/png", "image/webp", "image/gif"),
}
PASSWORDS = ("/login", "/password")


def describe(app: FastAPI, *, team: bool) -> None:
    """Have an application describe its answers and refusals as well; ``team`` says that it wants people to sign in."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = plain()
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            schemas["Failure"] = FAILURE
            if team:
                cookie = {"type": "apiKey", "in": "cookie", "name": "whyseg"}
                schema["components"]["securitySchemes"] = {"session": cookie}
            for path, item in schema["paths"].items():
                for method, operation in item.items():
                    _complete(operation, method, path, team and path not in OPEN)
        return app.openapi_schema or {}

    app.openapi = described  # type: ignore[method-assign]


def _complete(operation: dict[str, Any], method: str, path: str, signed_in: bool) -> None:
    answers = operation["responses"]
    answers.pop("422", None)
    plain = {"application/json": {"schema": answer_schema(method, path.removeprefix(PREFIX))}}
    for status in answers:
        answers[status]["content"] = plain
    for end, kinds in PICTURES.items():
        if path.endswith(end) and method == "get":
            answers["200"]["content"] = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    if path.endswith("/click") and method == "post":
        answers["204"] = {"description": "the client has asked again since"}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}
    for status in _refusals(operation, method, path, signed_in):
        answers[str(status)] = {"description": REASONS[status], "content": content}
    if signed_in:
        operation["security"] = [{"session": []}]


def _refusals(operation: dict[str, Any], method: str, path: str, signed_in: bool) -> list[int]:
    """Return the statuses that an operation may be refused with."""
    takes_body, names = "requestBody" in operation, re.findall(r"{(\w+)}", path)
    found = {400, 403, 503}
    if signed_in or path.endswith(PASSWORDS):
        found.add(401)
    if names or takes_body:
        found.add(404)
    if method != "get":
        found |= {409, 413}
    if "image" in "".join(names) or path.endswith(("/click", "/encode", "/picture", "/ask/pictures")):
        found.add(415)
    if takes_body or operation.get("parameters"):
        found.add(422)
    if path.endswith(PASSWORDS):
        found.add(429)
    return sorted(found)
