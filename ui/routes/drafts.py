"""``/samples/…/drafts``: questions that a machine proposes for a sample, and those it has proposed."""

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, BeforeValidator, Field

from whyseg.curation.drafting.accepting import draft_of
from whyseg.curation.workspace import Workspace
from whyseg.schemas import ReasoningType, Suggestion
from whyseg.schemas.errors import InvalidRecord
from whyseg.schemas.sample import MAX_DEPTH, as_reasoning_type
from whyseg.ui.drafting import Asked, Drafting
from whyseg.ui.roles import Who
from whyseg.ui.routes.strict import StrictRoute
from whyseg.ui.sight import viewer

MOST = 10  # drafts at a time


class DraftRequest(BaseModel):
    """What kind of question is wanted, and how many."""

    reasoning_type: Annotated[ReasoningType, BeforeValidator(as_reasoning_type)]
    depth: Annotated[int, Field(ge=1, le=MAX_DEPTH)]
    n: Annotated[int, Field(ge=1, le=MOST)] = 3


class DraftRoutes:
    """Serves the drafts of a workspace's samples."""

    def __init__(self, workspace: Workspace, drafting: Drafting) -> None:
        self.store = workspace.store
        self.drafting = drafting

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/samples", tags=["drafts"], route_class=StrictRoute)
        router.post("/{sample_id}/drafts")(self.draft)
        router.get("/{sample_id}/drafts")(self.drafts)
        return router

    def draft(self, sample_id: str, body: DraftRequest, who: Who) -> JSONResponse:
        """Propose questions for the sample as it is saved, judged by the critic's rules; they are kept beside it."""
        asked = Asked(sample_id, body.reasoning_type, body.depth, body.n, viewer(who))
        outcome = self.drafting.draft(asked)
        told = {"drafter": self.drafting.drafter.name, "problem": outcome.problem and outcome.problem.plain()}
        return JSONResponse({"drafts": [_shown(suggestion) for suggestion in outcome.kept], **told})

    def drafts(self, sample_id: str) -> JSONResponse:
        """Return what was proposed for a sample, newest first."""
        self.store.head(sample_id)
        shown = [_shown(one) for one in self.store.suggestions(sample_id) if one.kind == "query"]
        return JSONResponse({"drafts": [one for one in shown if one]})


def _shown(suggestion: Suggestion) -> dict[str, Any]:
    """Return a suggestion as the page shows it; nothing for one that holds no draft."""
    try:
        draft, critique = draft_of(suggestion)
    except InvalidRecord:
        return {}
    kept = {"text", "is_sentence", "reasoning_type", "depth", "hops", "label"}
    marks = [mark.plain() for mark in critique.marks]
    return {
        "id": suggestion.id,
        "model": suggestion.model,
        **draft.model_dump(mode="json", include=kept),
        "marks": marks,
    }
