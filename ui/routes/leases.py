"""``/samples/…/lease``, ``/samples/next``: who works on which sample."""

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from whyseg.curation.next_work import next_work
from whyseg.curation.store import LEASE_SECONDS
from whyseg.curation.times import now
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Lease
from whyseg.ui.roles import Who
from whyseg.ui.routes.strict import StrictRoute
from whyseg.ui.sight import viewer


class Token(BaseModel):
    """What proves a lease."""

    token: Annotated[str, Field(max_length=200)]


class Onward(BaseModel):
    """The sample that is left for the next one, if any."""

    after: Annotated[str, Field(max_length=200)] | None = None


class LeaseRoutes:
    """Serves the leases on the samples of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.store = workspace.store
        self.gold_every = workspace.settings.team.gold_every

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/samples", tags=["leases"], route_class=StrictRoute)
        router.post("/next")(self.next)
        router.post("/{sample_id}/lease")(self.claim)
        router.put("/{sample_id}/lease")(self.renew)
        router.delete("/{sample_id}/lease")(self.release)
        return router

    def next(self, body: Onward, who: Who) -> JSONResponse:
        """Claim the next sample to be worked on that nobody else holds."""
        lease = next_work(self.store, viewer(who), after=body.after, gold_every=self.gold_every)
        return JSONResponse({"lease": lease and _plain(lease)})

    def claim(self, sample_id: str, who: Who) -> JSONResponse:
        """Claim a sample, or keep the claim that one has already."""
        return JSONResponse(_plain(self.store.claim(sample_id, who.name)))

    def renew(self, sample_id: str, body: Token, who: Who) -> JSONResponse:
        """Keep a claim alive: the heartbeat."""
        return JSONResponse(_plain(self.store.renew(_lease(sample_id, body, who))))

    def release(self, sample_id: str, body: Token, who: Who) -> JSONResponse:
        """Give a claim back; nothing happens when it is lost already."""
        self.store.release(_lease(sample_id, body, who))
        return JSONResponse({})


def _lease(sample_id: str, body: Token, who: Who) -> Lease:
    return Lease(sample_id=sample_id, holder=who.name, token=body.token, expires_at=now())


def _plain(lease: Lease) -> dict[str, Any]:
    """Return a lease with its life in seconds: a browser's clock may be wrong."""
    return {**lease.plain(), "seconds": LEASE_SECONDS}
