"""``/assignments``, ``/overlaps``, ``/gold``, ``/agreement``: who is to work on what, and how far people agree."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from whyseg.curation.answers import Answers, HandedOut
from whyseg.curation.assignments import Assignments
from whyseg.curation.golds import Golds
from whyseg.curation.overlaps import Order, Overlaps
from whyseg.curation.workspace import Workspace
from whyseg.ui.roles import Who
from whyseg.ui.routes.strict import StrictRoute

MAX_OFFSET = 2**31
MOST = 1000  # samples at a time
Id = Annotated[str, Field(max_length=200)]
Ids = Annotated[list[Id], Field(min_length=1, max_length=MOST)]
Name = Annotated[str, Field(max_length=200)]
Names = Annotated[list[Name], Field(min_length=1, max_length=100)]
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET)]
Limit = Annotated[int, Query(ge=1, le=500)]
_or_none = BeforeValidator(lambda value: value or None)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Assigning(_Body):
    """Whose some samples are to be; nobody's with null."""

    sample_ids: Ids
    user: Name | None


class _Users(_Body):
    users: Names
    each: Annotated[int, Field(ge=1, le=100)] | None = None


class HandingOut(_Users):
    """Which samples are handed out to whom; with ``each`` to so many of them."""

    sample_ids: Ids


class HandingOutGold(_Users):
    """The same of gold items: of all that there are, without ``sample_ids``."""

    sample_ids: Ids | None = None


class Marking(_Body):
    """Which samples are gold."""

    sample_ids: Ids


class Adoption(_Body):
    """Which answer becomes a revision of its original, made on the revision ``parent``."""

    answer: Id
    parent: Id


class AssignmentRoutes:
    """Serves those who hand out the work of a workspace, and measure it."""

    def __init__(self, workspace: Workspace) -> None:
        store = workspace.store
        self.assignments, self.answers, self.golds = Assignments(store), Answers(store), Golds(store)
        self.overlaps = Overlaps(store)

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(tags=["assignments"], route_class=StrictRoute)
        router.post("/assignments")(self.assign)
        router.get("/assignments")(self.assigned)
        router.post("/overlaps", status_code=201)(self.hand_out)
        router.get("/overlaps")(self.page)
        router.get("/overlaps/{sample_id}")(self.show)
        router.post("/overlaps/{sample_id}/adopt")(self.adopt)
        router.post("/gold")(self.mark)
        router.get("/gold")(self.gold)
        router.delete("/gold/{sample_id}")(self.unmark)
        router.post("/gold/hand-out", status_code=201)(self.hand_out_gold)
        router.get("/agreement")(self.agreement)
        return router

    def assign(self, body: Assigning, who: Who) -> JSONResponse:
        """Make samples somebody's to work on, or nobody's."""
        return JSONResponse({"changed": self.assignments.assign(body.sample_ids, body.user, by=who.name)})

    def assigned(
        self, user: Annotated[Name | None, _or_none] = None, offset: Offset = 0, limit: Limit = 50
    ) -> JSONResponse:
        """Return a page of the assignments, of one person or of all."""
        total, found = self.assignments.page(user, offset=offset, limit=limit)
        return JSONResponse({"total": total, "assignments": [one.plain() for one in found]})

    def hand_out(self, body: HandingOut, who: Who) -> JSONResponse:
        """Hand samples out as blind answers."""
        return _told(self.answers.hand_out(body.sample_ids, body.users, by=who.name, each=body.each))

    def page(self, order: Order = "added", offset: Offset = 0, limit: Limit = 50) -> JSONResponse:
        """Return a page of the samples that have blind answers."""
        total, found = self.overlaps.page(order=order, offset=offset, limit=limit)
        return JSONResponse({"total": total, "overlaps": [one.plain() for one in found]})

    def show(self, sample_id: str) -> JSONResponse:
        """Return a sample with the blind answers to it, each compared with each."""
        return JSONResponse(self.overlaps.get(sample_id).plain())

    def adopt(self, sample_id: str, body: Adoption, who: Who) -> JSONResponse:
        """Take an answer as a new revision of its original; the same again changes nothing."""
        head = self.answers.adopt(body.answer, original_id=sample_id, parent=body.parent, author=who.name)
        told = {"revision": head.revision.id, "number": head.revision.number, "state": head.state.value}
        return JSONResponse(told)

    def mark(self, body: Marking, who: Who) -> JSONResponse:
        """Mark accepted samples as gold, as they stand."""
        return JSONResponse({"changed": self.golds.mark(body.sample_ids, by=who.name)})

    def gold(self, offset: Offset = 0, limit: Limit = 50) -> JSONResponse:
        """Return a page of the gold items."""
        total, found = self.golds.page(offset=offset, limit=limit)
        return JSONResponse({"total": total, "gold": [one.plain() for one in found]})

    def unmark(self, sample_id: str, who: Who) -> JSONResponse:
        """Make a sample no longer gold."""
        self.golds.unmark(sample_id, by=who.name)
        return JSONResponse({})

    def hand_out_gold(self, body: HandingOutGold, who: Who) -> JSONResponse:
        """Hand gold items out as blind answers."""
        wanted = body.sample_ids or [one.sample_id for one in self.golds.page(limit=MOST)[1]]
        return _told(self.answers.hand_out(wanted, body.users, by=who.name, each=body.each, kind="gold"))

    def agreement(self) -> JSONResponse:
        """Return how far people agree, with each other and with gold."""
        return JSONResponse(self.overlaps.report().plain())


def _told(done: HandedOut) -> JSONResponse:
    return JSONResponse(done.plain(), 201)
