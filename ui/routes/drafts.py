"""``/samples/…/drafts``: questions that a machine proposes for a sample, and those it has proposed."""

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, BeforeValidator, Field

from whyseg.curation.drafting.accepting import draft_of, suggestion_of
from whyseg.curation.drafting.base import Drafter
from whyseg.curation.drafting.critic import judge
from whyseg.curation.drafting.scenes import scene_of
from whyseg.curation.times import now
from whyseg.curation.workspace import Workspace
from whyseg.schemas import DraftProblem, ReasoningType, Suggestion
from whyseg.schemas.errors import InvalidRecord
from whyseg.schemas.sample import MAX_DEPTH, as_reasoning_type
from whyseg.ui.pictures import Pictures
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

    def __init__(self, workspace: Workspace, drafter: Drafter) -> None:
        self.store = workspace.store
        self.pictures = Pictures(workspace)
        self.drafter = drafter

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/samples", tags=["drafts"], route_class=StrictRoute)
        router.post("/{sample_id}/drafts")(self.draft)
        router.get("/{sample_id}/drafts")(self.drafts)
        return router

    def draft(self, sample_id: str, body: DraftRequest, who: Who) -> JSONResponse:
        """Propose questions for the sample as it is saved, judged by the critic's rules; they are kept beside it."""
        sample = self.store.head(sample_id).sample
        problem = _lacking(sample.instances)
        if problem is None:
            scene = scene_of(self.store, sample, viewer(who))
            pixels = self.pictures.pixels(sample.image_id) if self.drafter.looks else np.zeros((1, 1, 3), np.uint8)
            drafted = self.drafter.draft(pixels, scene, reasoning_type=body.reasoning_type, depth=body.depth, n=body.n)
            problem = drafted.problem
        kept = []
        if problem is None:
            kept = [suggestion_of(sample_id, draft, judge(draft, scene), now()) for draft in drafted.drafts]
            for suggestion in kept:
                self.store.add_suggestion(suggestion)
        told = {"drafter": self.drafter.name, "problem": problem and problem.plain()}
        return JSONResponse({"drafts": [_shown(suggestion) for suggestion in kept], **told})

    def drafts(self, sample_id: str) -> JSONResponse:
        """Return what was proposed for a sample, newest first."""
        self.store.head(sample_id)
        shown = [_shown(one) for one in self.store.suggestions(sample_id) if one.kind == "query"]
        return JSONResponse({"drafts": [one for one in shown if one]})


def _lacking(instances: tuple[Any, ...]) -> DraftProblem | None:
    if not instances:
        return DraftProblem(kind="declined", reason="there is no mask yet: a question is drafted for what it answers")
    if unnamed := [str(one.id) for one in instances if not one.label or not one.mask.area]:
        reason = f"instance {', '.join(unnamed)} lacks a label or pixels: a draft goes by both"
        return DraftProblem(kind="declined", reason=reason)
    return None


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
