"""What the routes answer with when all is well: the keys of each answer and their types, for the description (OpenAPI).

``docs/http.md`` says what they mean. A key is written ``name:type``: s text, i whole number, n number, b true or false,
o object, l list; ``?`` after it: may be null.
"""

from typing import Any

_TYPES = {"s": "string", "i": "integer", "n": "number", "b": "boolean", "o": "object", "l": "array"}

_STANDING = "revision:s number:i state:s"
_OPENED = f"sample:o {_STANDING} image:o previous:s? next:s? position:i total:i"
_LEASE = "sample_id:s holder:s token:s expires_at:s seconds:n"
_CROP = "score:n bbox:l counts:s"
_RELEASE = "name:s hash:s created_at:s author:s states:s samples:i images:i splits:o"
_USER = "name:s role:s disabled:b created_at:s"
_CHECKS = "running:o? last:o?"
_COUNTS = "images:i samples:i revisions:i instances:i no_target:i releases:i states:o matrix:o accepted:o targets:l"
_FINDING = "id:s kind:s severity:s message:s sample_id:s? image_id:s?"
_PROPOSAL = "id:s sample_id:s revision_id:s reason:s says:s instances:l? query:o? made_by:s score:n decision:o? state:s"
_ASKED = "id:s state:s question:o policy:s segmenter:s place:i done:i seconds:n answers:l in_workspace:b"
_HANDED_OUT = "answers:l skipped:l"

ANSWERS = {
    "GET /info": "version:s workspace:s segmenter:o user:s role:s team:b",
    "POST /login": "user:s role:s",
    "POST /logout": "",
    "GET /samples": "total:i samples:l",
    "POST /samples": _OPENED,
    "GET /samples/{sample_id}": _OPENED,
    "PUT /samples/{sample_id}": _STANDING,
    "POST /samples/{sample_id}/submit": _STANDING,
    "GET /samples/{sample_id}/revisions": "revisions:l",
    "GET /samples/{sample_id}/revisions/{revision_id}": "revision:s number:i parent:s? author:s created_at:s sample:o",
    "POST /samples/{sample_id}/review": _STANDING,
    "POST /samples/{sample_id}/reopen": _STANDING,
    "GET /samples/{sample_id}/reviews": "reviews:l",
    "GET /samples/{sample_id}/history": "history:l",
    "POST /samples/{sample_id}/drafts": "drafter:s drafts:l",
    "GET /samples/{sample_id}/drafts": "drafts:l",
    "POST /samples/{sample_id}/lease": _LEASE,
    "PUT /samples/{sample_id}/lease": _LEASE,
    "DELETE /samples/{sample_id}/lease": "",
    "POST /samples/next": "lease:o?",
    "POST /encode": "images:o",
    "POST /click": "seq:i best:o scores:l ms:o",
    "GET /click/{client}/{seq}/{candidate}": _CROP,
    "POST /outline": "rings:l iou:n vertices:i",
    "GET /ask": "policy:o newest:s?",
    "POST /ask": _ASKED,
    "POST /ask/pictures": "image:o in_workspace:b",
    "GET /ask/{ask_id}": _ASKED,
    "DELETE /ask/{ask_id}": _ASKED,
    "POST /ask/{ask_id}/vote": "outcome:s mask:o? agreement:n valid:i no_object_votes:i count:i clusters:l",
    "POST /ask/{ask_id}/sample": f"sample_id:s {_STANDING}",
    "GET /findings": "total:i kinds:o severities:o findings:l",
    "PUT /findings/{finding_id}/set-aside": _FINDING,
    "DELETE /findings/{finding_id}/set-aside": _FINDING,
    "GET /samples/{sample_id}/signals": "run:o? signals:o?",
    "GET /proposals": "total:i reasons:o proposals:l",
    "POST /proposals/{proposal_id}/accept": _STANDING,
    "POST /proposals/{proposal_id}/dismiss": _PROPOSAL,
    "GET /checks": _CHECKS,
    "POST /checks": _CHECKS,
    "GET /stats": _COUNTS,
    "PUT /targets": _COUNTS,
    "POST /assignments": "changed:i",
    "GET /assignments": "total:i assignments:l",
    "POST /overlaps": _HANDED_OUT,
    "GET /overlaps": "total:i overlaps:l",
    "GET /overlaps/{sample_id}": "sample_id:s image_id:s query:s? answers:l masks:o",
    "POST /overlaps/{sample_id}/adopt": _STANDING,
    "POST /gold": "changed:i",
    "GET /gold": "total:i gold:l",
    "DELETE /gold/{sample_id}": "",
    "POST /gold/hand-out": _HANDED_OUT,
    "GET /agreement": "items:i pairs:i open:i people:l gold:l",
    "GET /releases": "releases:l",
    "GET /releases/{name}": _RELEASE,
    "GET /releases/{name}/items": "total:i items:l",
    "GET /releases/{before}/diff/{after}": "before:o after:o counts:o added:l removed:l changed:l",
    "GET /users": "users:l",
    "POST /users": _USER,
    "PUT /users/{name}": _USER,
    "PUT /me/password": _USER,
    "GET /people": "since:s? until:s? people:l",
    "GET /audit": "total:i verified:b entries:l",
    "GET /healthz": "status:s",
}


def answer_schema(method: str, path: str) -> dict[str, Any]:
    """Return the schema of a route's answer; ``path`` is without the prefix.

    >>> answer_schema("get", "/gold")["properties"]
    {'total': {'type': 'integer'}, 'gold': {'type': 'array', 'items': {}}}
    """
    keys = [key.split(":") for key in ANSWERS.get(f"{method.upper()} {path}", "").split()]
    return {"type": "object", "required": [name for name, _ in keys], "properties": {n: _schema(t) for n, t in keys}}


def _schema(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {"type": _TYPES[kind[0]]}
    if found["type"] == "array":
        found["items"] = {}
    return {"anyOf": [found, {"type": "null"}]} if kind.endswith("?") else found
