"""A server's JSON routes as methods: what the pages can do, a program can.

    client = whyseg.Client("http://127.0.0.1:7860")
    opened = client.sample(client.samples(state="draft")["samples"][0]["id"])
    saved = client.save(opened.sample, parent=opened.revision)

Of a team's server, `login` comes first. Nothing is tried twice by itself; a save names its edit and a review its
decision, so both may be repeated after a lost answer. Raises ``ServerRefused`` with the server's own words, and
``ServerUnreachable``.
"""

import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import quote

import httpx

from whyseg.client_answers import ANSWER_ROUTES, AnswerMethods
from whyseg.client_findings import FINDING_ROUTES, FindingMethods
from whyseg.client_models import MODEL_ROUTES, ModelMethods
from whyseg.client_proposals import PROPOSAL_ROUTES, ProposalMethods
from whyseg.client_team import TEAM_ROUTES, TeamMethods
from whyseg.schemas import Comment, Image, Mask, Point, Reason, Release, ReleaseItem, Review, Sample, State
from whyseg.schemas.errors import ServerRefused, ServerUnreachable
from whyseg.schemas.prompt import Box
from whyseg.schemas.record import Record

# Which method speaks for which route; a test compares both with the server.
ROUTES = {
    ("POST", "/login"): "login",
    ("POST", "/logout"): "logout",
    ("GET", "/info"): "info",
    ("GET", "/images/{image_id}"): "image",
    ("GET", "/images/{image_id}/thumbnail"): "thumbnail",
    ("GET", "/samples"): "samples",
    ("POST", "/samples"): "add_sample",
    ("POST", "/samples/next"): "next_sample",
    ("GET", "/samples/{sample_id}"): "sample",
    ("PUT", "/samples/{sample_id}"): "save",
    ("POST", "/samples/{sample_id}/lease"): "lease",
    ("PUT", "/samples/{sample_id}/lease"): "renew",
    ("DELETE", "/samples/{sample_id}/lease"): "give_back",
    ("GET", "/samples/{sample_id}/drafts"): "drafts",
    ("POST", "/samples/{sample_id}/drafts"): "draft",
    ("POST", "/samples/{sample_id}/submit"): "submit",
    ("GET", "/samples/{sample_id}/revisions"): "revisions",
    ("GET", "/samples/{sample_id}/revisions/{revision_id}"): "version",
    ("GET", "/samples/{sample_id}/reviews"): "reviews",
    ("POST", "/samples/{sample_id}/review"): "review",
    ("POST", "/samples/{sample_id}/reopen"): "reopen",
    ("GET", "/releases"): "releases",
    ("GET", "/releases/{name}"): "release",
    ("GET", "/releases/{name}/items"): "release_items",
    ("GET", "/releases/{before}/diff/{after}"): "release_diff",
    ("GET", "/revisions/{revision_id}/picture"): "picture",
    ("POST", "/encode"): "encode",
    ("POST", "/click"): "click",
    ("GET", "/click/{client}/{seq}/{candidate}"): "candidate",
    ("POST", "/outline"): "outline",
    **TEAM_ROUTES,
    **ANSWER_ROUTES,
    **FINDING_ROUTES,
    **MODEL_ROUTES,
    **PROPOSAL_ROUTES,
}


class Standing(Record):
    """Where a sample stands: its newest revision's id and number, and its state."""

    revision: str
    number: int
    state: State


class Opened(Standing):
    """A sample as it stands, its image, and its neighbours' ids in the order of adding; ``locked``: it stays so."""

    sample: Sample
    locked: bool
    image: Image
    previous: str | None
    next: str | None
    position: int
    total: int


class Claim(Record):
    """A lease on a sample: ``token`` proves it, for ``seconds`` from the answer on."""

    sample_id: str
    holder: str
    token: str
    expires_at: str
    seconds: float


class Http(Protocol):
    """What the client needs of an HTTP client."""

    def request(self, method: str, url: str, *, json: Any, params: dict[str, str] | None) -> Any:
        """Send a request and return the response, as httpx does."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Client(TeamMethods, AnswerMethods, FindingMethods, ModelMethods, ProposalMethods):
    """A connection to a server; use it as a context manager, or call `close`.

    ``http`` is a client to go through, which knows the server's address, in place of one made for ``url``.
    """

    def __init__(self, url: str = "http://127.0.0.1:7860", *, timeout: float = 60.0, http: Http | None = None) -> None:
        self._http: Http = http or httpx.Client(base_url=url, timeout=timeout)
        self._page, self._clicks = f"client-{uuid.uuid4().hex}", 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def login(self, name: str, password: str) -> dict[str, Any]:
        """Sign in to a team's server; returns who one is and in which role."""
        return self._json("POST", "login", {"name": name, "password": password})

    def logout(self) -> None:
        """Sign out."""
        self._json("POST", "logout")

    def info(self) -> dict[str, Any]:
        """Return the server's version, workspace, segmenter, and who one is."""
        return self._json("GET", "info")

    def image(self, image_id: str) -> bytes:
        """Return the file of the upright picture."""
        return self._bytes(f"images/{_part(image_id)}")

    def thumbnail(self, image_id: str, *, side: int = 256) -> bytes:
        """Return a small JPEG; ``side``: its longest side in pixels, 32–1024."""
        return self._bytes(f"images/{_part(image_id)}/thumbnail", side=side)

    def samples(self, **wanted: Any) -> dict[str, Any]:
        """Return a page of the samples that match: ``{"total", "samples"}``.

        ``wanted``: state, reasoning_type, depth, text, assigned, proposed, order (added | updated | proposed | findings
        | unsolved | disagreeing | ambiguous | boundary | easiest), offset, limit.
        """
        return self._json("GET", "samples", **wanted)

    def add_sample(self, image_id: str) -> Opened:
        """Make another, empty sample of an image."""
        return Opened.parse(self._json("POST", "samples", {"image_id": image_id}))

    def sample(self, sample_id: str) -> Opened:
        """Return a sample as it stands."""
        return Opened.parse(self._json("GET", f"samples/{_part(sample_id)}"))

    def save(self, sample: Sample, *, parent: str, edit: str | None = None) -> Standing:
        """Make a revision of a sample, on the revision ``parent`` that it was changed from.

        ``edit`` names this very change: give one to be able to repeat it after a lost answer.
        """
        body = {"edit": edit or uuid.uuid4().hex, "parent": parent, "sample": sample.plain()}
        return Standing.parse(self._json("PUT", f"samples/{sample.id}", body))

    def submit(self, sample_id: str, *, parent: str) -> Standing:
        """Hand a sample in for review."""
        return Standing.parse(self._json("POST", f"samples/{_part(sample_id)}/submit", {"parent": parent}))

    def next_sample(self, *, after: str | None = None) -> Claim | None:
        """Claim the next sample to be worked on that nobody else holds; None when there is none."""
        lease = self._json("POST", "samples/next", {"after": after})["lease"]
        return Claim.parse(lease) if lease else None

    def lease(self, sample_id: str) -> Claim:
        """Claim a sample, or keep the claim that one has."""
        return Claim.parse(self._json("POST", f"samples/{_part(sample_id)}/lease"))

    def renew(self, claim: Claim) -> Claim:
        """Keep a claim alive."""
        body = {"token": claim.token}
        return Claim.parse(self._json("PUT", f"samples/{_part(claim.sample_id)}/lease", body))

    def give_back(self, claim: Claim) -> None:
        """Give a claim back."""
        self._json("DELETE", f"samples/{_part(claim.sample_id)}/lease", {"token": claim.token})

    def revisions(self, sample_id: str) -> list[dict[str, Any]]:
        """Return how a sample came about, newest first."""
        return list(self._json("GET", f"samples/{_part(sample_id)}/revisions")["revisions"])

    def version(self, sample_id: str, revision: str) -> Sample:
        """Return a sample as one of its revisions has it."""
        path = f"samples/{_part(sample_id)}/revisions/{_part(revision)}"
        return Sample.parse(self._json("GET", path)["sample"])

    def review(
        self,
        sample_id: str,
        decision: str,
        *,
        revision: str,
        reasons: Sequence[Reason] = (),
        comments: Sequence[Comment] = (),
        name: str | None = None,
    ) -> Standing:
        """Decide on a submitted revision: "accept", or "reject" with reasons.

        ``name`` names this very decision: give one to be able to repeat it after a lost answer.
        """
        body = {
            "id": name or uuid.uuid4().hex,
            "revision": revision,
            "decision": decision,
            "reasons": [str(reason) for reason in reasons],
            "comments": [comment.plain() for comment in comments],
        }
        return Standing.parse(self._json("POST", f"samples/{_part(sample_id)}/review", body))

    def reopen(self, sample_id: str, *, reason: str) -> Standing:
        """Unlock an accepted sample."""
        return Standing.parse(self._json("POST", f"samples/{_part(sample_id)}/reopen", {"reason": reason}))

    def reviews(self, sample_id: str) -> list[Review]:
        """Return a sample's reviews, newest first."""
        return [Review.parse(one) for one in self._json("GET", f"samples/{_part(sample_id)}/reviews")["reviews"]]

    def draft(self, sample_id: str, *, reasoning_type: str, depth: int, n: int = 3) -> dict[str, Any]:
        """Have questions drafted for a sample as it is saved: ``{"drafter", "drafts", "problem"}``."""
        body = {"reasoning_type": reasoning_type, "depth": depth, "n": n}
        return self._json("POST", f"samples/{_part(sample_id)}/drafts", body)

    def drafts(self, sample_id: str) -> list[dict[str, Any]]:
        """Return the questions that were drafted for a sample, newest first."""
        return list(self._json("GET", f"samples/{_part(sample_id)}/drafts")["drafts"])

    def releases(self) -> list[Release]:
        """Return all releases, oldest first."""
        return [Release.parse(one) for one in self._json("GET", "releases")["releases"]]

    def release(self, name: str) -> Release:
        """Return a release."""
        return Release.parse(self._json("GET", f"releases/{_part(name)}"))

    def release_items(self, name: str, **wanted: Any) -> list[ReleaseItem]:
        """Return a page of a release's items; ``wanted``: split, offset, limit."""
        return [ReleaseItem.parse(one) for one in self._json("GET", f"releases/{_part(name)}/items", **wanted)["items"]]

    def release_diff(self, before: str, after: str, **wanted: Any) -> dict[str, Any]:
        """Return what differs between two releases; ``wanted``: offset, limit."""
        return self._json("GET", f"releases/{_part(before)}/diff/{_part(after)}", **wanted)

    def picture(self, revision: str, *, side: int = 320) -> bytes:
        """Return a small JPEG of a revision's picture with its masks drawn."""
        return self._bytes(f"revisions/{_part(revision)}/picture", side=side)

    def encode(self, image_ids: Sequence[str]) -> dict[str, Any]:
        """Ask for images to be made ready for clicks; returns how far each is."""
        images: dict[str, Any] = self._json("POST", "encode", {"image_ids": list(image_ids)})["images"]
        return images

    def click(
        self,
        image_id: str,
        points: Sequence[Point],
        *,
        box: Box | None = None,
        refine: tuple[int, int] | None = None,
    ) -> dict[str, Any]:
        """Answer a prompt: ``{"seq", "best", "scores", "ms"}``; empty when this client has asked again meanwhile.

        ``refine``: (seq, candidate) of the answer that the prompt refines; the points and the box are always the whole
        prompt.
        """
        self._clicks += 1
        body = {
            "client": self._page,
            "seq": self._clicks,
            "image_id": image_id,
            "points": [[point.x, point.y, int(point.positive)] for point in points],
            "box": [box.x0, box.y0, box.x1, box.y1] if box else None,
            "refine": {"seq": refine[0], "candidate": refine[1]} if refine else None,
        }
        return self._json("POST", "click", body)

    def candidate(self, seq: int, candidate: int) -> dict[str, Any]:
        """Return the crop of another candidate of one of this client's clicks."""
        return self._json("GET", f"click/{self._page}/{seq}/{candidate}")

    def outline(self, mask: Mask, *, tolerance: float = 0.0) -> dict[str, Any]:
        """Return a mask's outline: ``{"rings", "iou", "vertices"}``; exact at tolerance 0 (pixels)."""
        return self._json("POST", "outline", {"mask": mask.plain(), "tolerance": tolerance})

    def _json(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]:
        reply = self._ask(method, path, body, query)
        return dict(reply.json()) if reply.content else {}

    def _bytes(self, path: str, **query: Any) -> bytes:
        return bytes(self._ask("GET", path, None, query).content)

    def _ask(self, method: str, path: str, body: Any, query: dict[str, Any]) -> Any:
        wanted = {key: str(value) for key, value in query.items() if value is not None}
        try:
            reply = self._http.request(method, f"/api/v1/{path}", json=body, params=wanted or None)
        except httpx.TransportError as error:
            raise ServerUnreachable(f"the server does not answer: {error}") from error
        if reply.is_success:
            return reply
        try:
            facts = dict(reply.json())
        except ValueError:
            facts = {}
        raise ServerRefused(reply.status_code, facts)


def _part(key: str) -> str:
    """Return an id as one part of a path."""
    return quote(key, safe="")
