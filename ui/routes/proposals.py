"""``/proposals`` and ``/samples/…/signals``: what a model says of samples, and the changes that it proposes."""

from typing import Annotated

import cv2
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BeforeValidator, Field

from whyseg.curation.images import read_reduced
from whyseg.curation.proposal_picture import draw_proposal
from whyseg.curation.proposals import Proposals, ProposalState
from whyseg.curation.signals import SignalStore
from whyseg.curation.visibility import is_hidden
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Proposal, RevisionReason
from whyseg.schemas.errors import NotFound
from whyseg.ui.roles import Member, Who
from whyseg.ui.routes.strict import StrictRoute
from whyseg.ui.sight import viewer

MAX_OFFSET = 2**31
JPEG_QUALITY = 85
_or_none = BeforeValidator(lambda value: value or None)  # a form's empty field restricts nothing
Key = Annotated[Annotated[str, Field(max_length=200)] | None, _or_none]


class ProposalRoutes:
    """Serves what models say of a workspace's samples, and takes people's decisions about it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.proposals, self.signals = Proposals(workspace.store), SignalStore(workspace.store)

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(tags=["proposals"], route_class=StrictRoute)
        router.get("/proposals")(self.page)
        router.post("/proposals/{proposal_id}/accept")(self.accept)
        router.post("/proposals/{proposal_id}/dismiss")(self.dismiss)
        router.get("/proposals/{proposal_id}/picture")(self.picture)
        router.get("/samples/{sample_id}/signals")(self.newest_signals)
        return router

    def page(
        self,
        who: Who,
        state: Annotated[ProposalState | None, _or_none] = "open",
        reason: Annotated[RevisionReason | None, _or_none] = None,
        sample_id: Key = None,
        offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> JSONResponse:
        """Return a page of the proposals that match, the surest first."""
        found = self.proposals.page(
            state=state, reason=reason, sample_id=sample_id, viewer=viewer(who), offset=offset, limit=limit
        )
        return JSONResponse(found.plain())

    def accept(self, proposal_id: str, who: Who) -> JSONResponse:
        """Change the sample as proposed; again it is answered like the first time."""
        self._seen(proposal_id, who)
        head = self.proposals.accept(proposal_id, author=who.name)
        return JSONResponse({"revision": head.revision.id, "number": head.revision.number, "state": head.state.value})

    def dismiss(self, proposal_id: str, who: Who) -> JSONResponse:
        """Decide that a proposal is not followed."""
        self._seen(proposal_id, who)
        return JSONResponse(self.proposals.dismiss(proposal_id, author=who.name).plain())

    def picture(
        self, proposal_id: str, request: Request, who: Who, side: Annotated[int, Query(ge=32, le=1024)] = 640
    ) -> Response:
        """Return a JPEG of the sample before and after, side by side, together at most that wide."""
        proposal = self._seen(proposal_id, who)
        tag = f'"{proposal_id}-{side}"'  # an id is the hash of what is proposed, to which revision
        headers = {"cache-control": "private, no-cache", "etag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        store = self.workspace.store
        sample = store.revision(proposal.revision_id).sample
        image = store.image(sample.image_id)
        pixels = read_reduced(self.workspace.blobs.read(image.id), image.file_name, side)
        drawn = cv2.cvtColor(draw_proposal(pixels, sample, proposal, side=side), cv2.COLOR_RGB2BGR)
        data = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        return Response(data.tobytes(), media_type="image/jpeg", headers=headers)

    def newest_signals(self, sample_id: str) -> JSONResponse:
        """Return what the newest run that scored a sample says of it, null where none has."""
        self.workspace.store.head(sample_id)
        run, signals = self.signals.newest(sample_id) or (None, None)
        return JSONResponse({"run": run and run.plain(), "signals": signals and signals.plain()})

    def _seen(self, proposal_id: str, who: Member) -> Proposal:
        """Return a proposal; raises ``NotFound``, also when who asks does not see its sample."""
        proposal = self.proposals.get(proposal_id)
        with self.workspace.store.database.read() as session:
            if is_hidden(session, proposal.sample_id, viewer(who)):
                raise NotFound("proposal", proposal_id)
        return proposal
