"""``/stats`` and ``/targets``: what there is of each reasoning type and depth, and how much is wanted."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, BeforeValidator, Field

from whyseg.curation.targets import coverage, set_target
from whyseg.curation.workspace import Workspace
from whyseg.schemas import ReasoningType
from whyseg.schemas.sample import MAX_DEPTH, as_reasoning_type
from whyseg.ui.roles import Who
from whyseg.ui.routes.strict import StrictRoute

MOST = 1_000_000  # samples that a cell may want


class Target(BaseModel):
    """How many accepted samples of a type and depth are wanted."""

    reasoning_type: Annotated[ReasoningType, BeforeValidator(as_reasoning_type)]
    depth: Annotated[int, Field(ge=1, le=MAX_DEPTH)]
    target: Annotated[int, Field(ge=0, le=MOST, strict=True)]


class CoverageRoutes:
    """Serves a workspace's counts and targets."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(tags=["coverage"], route_class=StrictRoute)
        router.get("/stats")(self.stats)
        router.put("/targets")(self.set)
        return router

    def stats(self) -> JSONResponse:
        """Return what the workspace holds, the targets, and what is wanted most."""
        return JSONResponse(coverage(self.workspace).as_json())

    def set(self, body: Target, who: Who) -> JSONResponse:
        """Write a target into the workspace's settings; return the counts as they are then."""
        set_target(self.workspace, body.reasoning_type, body.depth, body.target, author=who.name)
        return self.stats()
