"""``/findings`` and ``/checks``: what looks wrong, where it is, what people set aside, and runs of the checks."""

from typing import Annotated

import cv2
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, BeforeValidator, Field

from whyseg.curation.check_runs import CheckRuns
from whyseg.curation.finding_pages import FindingFilter, Findings, Listed, Order, Severity
from whyseg.curation.finding_picture import beside, draw_finding
from whyseg.curation.images import RgbArray, read_reduced
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import NotFound
from whyseg.ui.roles import Who
from whyseg.ui.routes.strict import StrictRoute
from whyseg.ui.sight import viewer

MAX_OFFSET = 2**31
JPEG_QUALITY = 85
_or_none = BeforeValidator(lambda value: value or None)  # a form's empty field restricts nothing
Word = Annotated[Annotated[str, Field(max_length=200)] | None, _or_none]


class Aside(BaseModel):
    """Why a finding is no mistake."""

    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class FindingRoutes:
    """Serves the findings of a workspace, and runs its checks."""

    def __init__(self, workspace: Workspace, runs: CheckRuns) -> None:
        self.workspace, self.runs = workspace, runs
        self.findings = Findings(workspace.store)

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(tags=["findings"], route_class=StrictRoute)
        router.get("/findings")(self.page)
        router.put("/findings/{finding_id}/set-aside")(self.set_aside)
        router.delete("/findings/{finding_id}/set-aside")(self.bring_back)
        router.get("/findings/{finding_id}/picture")(self.picture)
        router.get("/checks")(self.state)
        router.post("/checks", status_code=202)(self.check)
        return router

    def page(
        self,
        who: Who,
        kind: Word = None,
        severity: Annotated[Severity | None, _or_none] = None,
        sample_id: Word = None,
        gone: bool = False,
        set_aside: bool = False,
        order: Order = "severity",
        offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> JSONResponse:
        """Return a page of the findings that match, with counts."""
        wanted = FindingFilter(
            kind=kind, severity=severity, sample_id=sample_id, gone=gone, set_aside=set_aside, viewer=viewer(who)
        )
        found = self.findings.page(wanted, order=order, offset=offset, limit=limit)
        plain = found.model_dump(mode="json", exclude={"findings"})
        return JSONResponse({**plain, "findings": [one.as_json() for one in found.findings]})

    def set_aside(self, finding_id: str, body: Aside, who: Who) -> JSONResponse:
        """Take a finding off the list, with a reason."""
        found = self.findings.set_aside(finding_id, reason=body.reason, by=who.name, viewer=viewer(who))
        return JSONResponse(found.as_json())

    def bring_back(self, finding_id: str, who: Who) -> JSONResponse:
        """Put a finding on the list again."""
        return JSONResponse(self.findings.bring_back(finding_id, by=who.name, viewer=viewer(who)).as_json())

    def picture(
        self, finding_id: str, request: Request, who: Who, side: Annotated[int, Query(ge=32, le=1024)] = 320
    ) -> Response:
        """Return a JPEG of the picture, of the given longest side, with masks and the finding's place drawn."""
        found = self.findings.get(finding_id, viewer(who))
        head = self.workspace.store.head(found.opens) if found.opens else None
        tag = f'"{found.finding.says()}-{head.revision.id if head else ""}-{side}"'
        headers = {"cache-control": "private, no-cache", "etag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        image = head.sample.image_id if head else found.finding.image_id
        if image is None:
            raise NotFound("picture of finding", finding_id)
        pixels = self._pixels(image, side)
        drawn = draw_finding(pixels, head.sample if head else None, found.finding, side=side)
        if (other := self._other(found, image, side)) is not None:
            drawn = beside(drawn, other, side=side)
        data = cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        return Response(data.tobytes(), media_type="image/jpeg", headers=headers)

    def state(self) -> JSONResponse:
        """Return how far the checks are, and what came of their last run."""
        return JSONResponse(self.runs.state().plain())

    def check(self, who: Who) -> JSONResponse:
        """Begin a run of the checks."""
        return JSONResponse(self.runs.start(who.name).plain(), 202)

    def _pixels(self, image_id: str, side: int) -> RgbArray:
        image = self.workspace.store.image(image_id)
        return read_reduced(self.workspace.blobs.read(image_id), image.file_name, side)

    def _other(self, found: Listed, image: str, side: int) -> RgbArray | None:
        """Return the other picture that the evidence names, if there is one."""
        other = found.finding.evidence.get("image")
        if not isinstance(other, str) or other == image:
            return None
        try:
            return self._pixels(other, side)
        except NotFound:
            return None
