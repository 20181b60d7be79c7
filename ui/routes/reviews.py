"""``/samples/…``: what reviewers do: decisions, reopening, and the versions that they compare."""

import uuid
from typing import Annotated, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from whyseg.curation.history import history
from whyseg.curation.times import now
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Comment, Head, Reason, Review
from whyseg.schemas.errors import InvalidRecord, NotFound
from whyseg.ui.roles import Verb, Who, may
from whyseg.ui.routes.strict import StrictRoute

Id = Annotated[str, Field(max_length=200)]


class Decision(BaseModel):
    """A decision on a revision. ``id`` names the very decision, so that one repeated after a lost reply is the same."""

    id: Annotated[str, Field(min_length=1, max_length=200)] = Field(default_factory=lambda: uuid.uuid4().hex)
    revision: Id
    decision: Literal["accept", "reject"]
    reasons: Annotated[tuple[Reason, ...], Field(max_length=len(Reason))] = ()
    comments: Annotated[tuple[Comment, ...], Field(max_length=100)] = ()


class Reopening(BaseModel):
    """Why an accepted sample is unlocked."""

    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class ReviewRoutes:
    """Serves the reviewers of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.store = workspace.store

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/samples", tags=["reviews"], route_class=StrictRoute)
        router.post("/{sample_id}/review")(self.review)
        router.post("/{sample_id}/reopen")(self.reopen)
        router.get("/{sample_id}/reviews")(self.reviews)
        router.get("/{sample_id}/history")(self.history)
        router.get("/{sample_id}/revisions/{revision_id}")(self.revision)
        return router

    def review(self, sample_id: str, body: Decision, who: Who) -> JSONResponse:
        """Accept or reject a submitted revision; the same decision again changes nothing."""
        if done := next((review for review in self.store.reviews(sample_id) if review.id == body.id), None):
            if (done.reviewer, done.revision_id, done.decision) != (who.name, body.revision, body.decision):
                raise InvalidRecord(f"decision {body.id} of sample {sample_id} was another one, or another reviewer's")
            return JSONResponse(_summary(self.store.head(sample_id)))
        review = Review.parse(
            {
                "id": body.id,
                "sample_id": sample_id,
                "revision_id": body.revision,
                "reviewer": who.name,
                "decision": body.decision,
                "reasons": body.reasons,
                "comments": body.comments,
                "created_at": now(),
            }
        )
        return JSONResponse(_summary(self.store.review(review)))

    def reopen(self, sample_id: str, body: Reopening, who: Who) -> JSONResponse:
        """Unlock an accepted sample: it becomes a draft again."""
        return JSONResponse(_summary(self.store.reopen(sample_id, author=who.name, reason=body.reason)))

    def reviews(self, sample_id: str) -> JSONResponse:
        """Return a sample's reviews, newest first."""
        self.store.head(sample_id)
        return JSONResponse({"reviews": [review.plain() for review in self.store.reviews(sample_id)]})

    def history(self, sample_id: str, who: Who) -> JSONResponse:
        """Return what happened to a sample, newest first."""
        found = history(self.store.database, sample_id, whole=may(who.role, Verb.ASSIGN))
        return JSONResponse({"history": [event.plain() for event in found]})

    def revision(self, sample_id: str, revision_id: str) -> JSONResponse:
        """Return one version of a sample."""
        revision = self.store.revision(revision_id)
        if revision.sample.id != sample_id:
            raise NotFound("revision", f"{revision_id} of sample {sample_id}")
        told = revision.model_dump(mode="json", include={"number", "parent", "author", "created_at"})
        return JSONResponse({"revision": revision.id, "sample": revision.sample.plain(), **told})


def _summary(head: Head) -> dict[str, object]:
    return {"revision": head.revision.id, "number": head.revision.number, "state": head.state.value}
