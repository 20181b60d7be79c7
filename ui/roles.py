"""Who may do what: the one table of verbs and roles, the verb that each route is, and the check before every route."""

from enum import StrEnum
from typing import Annotated, NamedTuple

from fastapi import Depends, Request

from whyseg.schemas.errors import Forbidden
from whyseg.schemas.user import Role


class Verb(StrEnum):
    """What somebody does, in words that a refusal can show."""

    LOOK = "look at pictures, samples, reviews and releases"
    OWN = "change one's own password"
    ANNOTATE = "annotate: draw masks, write questions, save"
    SUBMIT = "submit a sample for review"
    REVIEW = "review: accept, reject, reopen"
    CHECK = "run the checks"
    RELEASE = "make releases"
    ASSIGN = "assign samples, hand out blind answers, mark gold, see the agreement"
    ADMINISTER = "import, export, manage users and settings, see throughput and audit log"


# The least role that a verb takes; those after it in `Role` may do it as well.
LEAST = {
    Verb.LOOK: Role.ANNOTATOR,
    Verb.OWN: Role.ANNOTATOR,
    Verb.ANNOTATE: Role.ANNOTATOR,
    Verb.SUBMIT: Role.ANNOTATOR,
    Verb.REVIEW: Role.REVIEWER,
    Verb.CHECK: Role.REVIEWER,
    Verb.RELEASE: Role.CURATOR,
    Verb.ASSIGN: Role.CURATOR,
    Verb.ADMINISTER: Role.CURATOR,
}

PREFIX = "/api/v1"
# Every route below it. One that is missing here takes the highest role, until somebody has thought about it.
ROUTES = {
    ("GET", "/info"): Verb.LOOK,
    ("GET", "/images/{image_id}"): Verb.LOOK,
    ("GET", "/images/{image_id}/thumbnail"): Verb.LOOK,
    ("GET", "/samples"): Verb.LOOK,
    ("POST", "/samples"): Verb.ANNOTATE,
    ("POST", "/samples/next"): Verb.ANNOTATE,
    ("GET", "/samples/{sample_id}"): Verb.LOOK,
    ("PUT", "/samples/{sample_id}"): Verb.ANNOTATE,
    ("POST", "/samples/{sample_id}/lease"): Verb.ANNOTATE,
    ("PUT", "/samples/{sample_id}/lease"): Verb.ANNOTATE,
    ("DELETE", "/samples/{sample_id}/lease"): Verb.ANNOTATE,
    ("GET", "/samples/{sample_id}/drafts"): Verb.LOOK,
    ("POST", "/samples/{sample_id}/drafts"): Verb.ANNOTATE,
    ("POST", "/samples/{sample_id}/submit"): Verb.SUBMIT,
    ("GET", "/samples/{sample_id}/revisions"): Verb.LOOK,
    ("GET", "/samples/{sample_id}/revisions/{revision_id}"): Verb.LOOK,
    ("GET", "/samples/{sample_id}/reviews"): Verb.LOOK,
    ("GET", "/samples/{sample_id}/history"): Verb.LOOK,
    ("POST", "/samples/{sample_id}/review"): Verb.REVIEW,
    ("POST", "/samples/{sample_id}/reopen"): Verb.REVIEW,
    ("GET", "/samples/{sample_id}/signals"): Verb.LOOK,
    ("GET", "/proposals"): Verb.LOOK,
    ("GET", "/proposals/{proposal_id}/picture"): Verb.LOOK,
    ("POST", "/proposals/{proposal_id}/accept"): Verb.REVIEW,
    ("POST", "/proposals/{proposal_id}/dismiss"): Verb.REVIEW,
    ("GET", "/findings"): Verb.LOOK,
    ("GET", "/findings/{finding_id}/picture"): Verb.LOOK,
    ("PUT", "/findings/{finding_id}/set-aside"): Verb.ANNOTATE,
    ("DELETE", "/findings/{finding_id}/set-aside"): Verb.ANNOTATE,
    ("GET", "/checks"): Verb.LOOK,
    ("POST", "/checks"): Verb.CHECK,
    ("GET", "/stats"): Verb.LOOK,
    ("PUT", "/targets"): Verb.ADMINISTER,
    ("POST", "/assignments"): Verb.ASSIGN,
    ("GET", "/assignments"): Verb.ASSIGN,
    ("POST", "/overlaps"): Verb.ASSIGN,
    ("GET", "/overlaps"): Verb.ASSIGN,
    ("GET", "/overlaps/{sample_id}"): Verb.ASSIGN,
    ("POST", "/overlaps/{sample_id}/adopt"): Verb.ASSIGN,
    ("POST", "/gold"): Verb.ASSIGN,
    ("GET", "/gold"): Verb.ASSIGN,
    ("DELETE", "/gold/{sample_id}"): Verb.ASSIGN,
    ("POST", "/gold/hand-out"): Verb.ASSIGN,
    ("GET", "/agreement"): Verb.ASSIGN,
    ("GET", "/releases"): Verb.LOOK,
    ("GET", "/releases/{name}"): Verb.LOOK,
    ("GET", "/releases/{name}/items"): Verb.LOOK,
    ("GET", "/releases/{before}/diff/{after}"): Verb.LOOK,
    ("GET", "/revisions/{revision_id}/picture"): Verb.LOOK,
    ("GET", "/users"): Verb.ADMINISTER,
    ("POST", "/users"): Verb.ADMINISTER,
    ("PUT", "/users/{name}"): Verb.ADMINISTER,
    ("PUT", "/me/password"): Verb.OWN,
    ("GET", "/people"): Verb.ADMINISTER,
    ("GET", "/audit"): Verb.ADMINISTER,
    ("POST", "/encode"): Verb.ANNOTATE,
    ("POST", "/click"): Verb.ANNOTATE,
    ("GET", "/click/{client}/{seq}/{candidate}"): Verb.ANNOTATE,
    ("POST", "/outline"): Verb.ANNOTATE,
    ("GET", "/ask"): Verb.LOOK,
    ("POST", "/ask"): Verb.ANNOTATE,
    ("POST", "/ask/pictures"): Verb.ANNOTATE,
    ("GET", "/ask/pictures/{image_id}"): Verb.LOOK,
    ("GET", "/ask/{ask_id}"): Verb.LOOK,
    ("DELETE", "/ask/{ask_id}"): Verb.ANNOTATE,
    ("POST", "/ask/{ask_id}/vote"): Verb.LOOK,
    ("POST", "/ask/{ask_id}/sample"): Verb.ANNOTATE,
}


class Member(NamedTuple):
    """Who makes a request: the author of what it changes, and their role."""

    name: str
    role: Role


def member(request: Request) -> Member:
    """Return who makes a request, as the gate before all routes found out."""
    found: Member = request.scope["member"]
    return found


async def _member(request: Request) -> Member:
    # On the event loop: what is only looked up need not wait for a thread.
    return member(request)


Who = Annotated[Member, Depends(_member)]


def may(role: Role, verb: Verb) -> bool:
    """Tell whether a role allows a verb.

    >>> may(Role.REVIEWER, Verb.SUBMIT), may(Role.REVIEWER, Verb.RELEASE)
    (True, False)
    """
    order = list(Role)
    return order.index(role) >= order.index(LEAST[verb])


def require(who: Member, verb: Verb) -> None:
    """Raise ``Forbidden`` unless the member's role allows the verb."""
    if not may(who.role, verb):
        raise Forbidden(who.role, verb)


def manages(request: Request) -> Member:
    """Return who makes a request; raises ``Forbidden`` unless they manage the team."""
    who = member(request)
    require(who, Verb.ADMINISTER)
    return who


async def authorise(request: Request, who: Who) -> None:
    """Stand before a route, as its dependency: raises ``Forbidden`` unless who asks may do what the route does."""
    path = request.scope["route"].path.removeprefix(PREFIX)  # of a router that was included it is the path inside
    require(who, ROUTES.get((request.method, path), Verb.ADMINISTER))
