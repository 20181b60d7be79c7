"""``/encode``, ``/click``, ``/outline``: what the drawing surface asks while somebody works."""

from functools import lru_cache
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from whyseg.curation.clicks import ClickService, Superseded
from whyseg.curation.outlines import outline
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Box, Image, Mask, Point, Prompt, Record
from whyseg.schemas.errors import InvalidRecord
from whyseg.ui.routes.strict import StrictRoute

MAX_SEQ = 2**53  # what a browser counts exactly
MAX_COUNTS = 250_000  # characters of run lengths to outline: five times a ragged mask of 12 megapixels
ImageId = Annotated[str, Field(max_length=200)]
Client = Annotated[str, Field(min_length=1, max_length=100)]
Seq = Annotated[int, Field(ge=0, le=MAX_SEQ)]
Candidate = Annotated[int, Field(ge=0, le=100)]


class Body(BaseModel):
    """A request's body: no other fields, no NaN."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Wanted(Body):
    """The images to encode: the one that is open first, then those that will be."""

    image_ids: Annotated[list[ImageId], Field(max_length=100)]


class Refine(Body):
    """The candidate, of an earlier click, that a click refines."""

    seq: Seq
    candidate: Candidate


class Click(Body):
    """The whole prompt as it stands after a click of ``client``, an open page, which counts its clicks in ``seq``."""

    client: Client
    seq: Seq
    image_id: ImageId
    points: Annotated[list[tuple[float, float, Literal[0, 1]]], Field(max_length=1000)] = []
    box: tuple[float, float, float, float] | None = None
    refine: Refine | None = None

    def prompt(self) -> Prompt:
        """Return the prompt's record; raises ``InvalidRecord`` for a box without an inside, and what is far away."""
        points = tuple(Point.parse({"x": x, "y": y, "positive": label == 1}) for x, y, label in self.points)
        corners = dict(zip(("x0", "y0", "x1", "y1"), self.box, strict=True)) if self.box else None
        return Prompt(points=points, box=Box.parse(corners) if corners else None)


class Wish(Body):
    """A mask to outline, and how far (in pixels) the outline may run from its edge."""

    mask: Mask
    tolerance: Annotated[float, Field(ge=0, le=1000)] = 0.0


class ClickRoutes:
    """Serves clicks on the images of a workspace."""

    def __init__(self, workspace: Workspace, clicks: ClickService) -> None:
        self.clicks = clicks
        self._image = lru_cache(maxsize=10_000)(workspace.store.image)  # an image's record never changes

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(tags=["clicks"], route_class=StrictRoute)
        router.post("/encode")(self.encode)
        router.post("/click")(self.click)
        router.get("/click/{client}/{seq}/{candidate}")(self.candidate)
        router.post("/outline")(self.outline)
        return router

    def encode(self, body: Wanted) -> JSONResponse:
        """Ask for images to be made ready for clicks; answers at once."""
        for image_id in body.image_ids:
            self._image(image_id)
        self.clicks.want(body.image_ids)
        return JSONResponse({"images": {key: self.clicks.status(key).plain() for key in body.image_ids}})

    def click(self, body: Click) -> Response:
        """Answer a prompt with the best candidate; 204 when the client has asked again since."""
        image: Image = self._image(body.image_id)
        refine = (body.refine.seq, body.refine.candidate) if body.refine else None
        reply = self.clicks.click(body.client, body.seq, image.id, image.size, body.prompt(), refine)
        return Response(status_code=204) if isinstance(reply, Superseded) else _json(reply)

    def candidate(self, client: Client, seq: Seq, candidate: Candidate) -> Response:
        """Return another candidate of one of the client's last clicks."""
        return _json(self.clicks.candidate(client, seq, candidate))

    def outline(self, body: Wish) -> Response:
        """Return a mask's rings."""
        if len(body.mask.counts) > MAX_COUNTS:
            raise InvalidRecord(
                f"run lengths of {len(body.mask.counts)} characters are too ragged to outline: at most {MAX_COUNTS}"
            )
        return _json(outline(body.mask, body.tolerance))


def _json(record: Record) -> Response:
    return Response(record.model_dump_json(), media_type="application/json")
