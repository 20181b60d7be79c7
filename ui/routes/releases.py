"""``/releases`` and ``/revisions``: what is frozen, what differs between two releases, and masks drawn on pictures."""

from functools import lru_cache
from typing import Annotated, Any

import cv2
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BeforeValidator

from whyseg.curation.images import read_reduced
from whyseg.curation.release_diff import Differences, changes, differences
from whyseg.curation.releases import Releases
from whyseg.curation.report import overlay
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Split
from whyseg.ui.routes.pictures import CACHED

MAX_OFFSET = 2**31
JPEG_QUALITY = 85
REMEMBERED = 4  # comparisons; of two releases of 100,000 samples one takes seconds
Offset = Annotated[int, Query(ge=0, le=MAX_OFFSET)]
Limit = Annotated[int, Query(ge=1, le=500)]
_or_none = BeforeValidator(lambda value: value or None)


class Comparisons:
    """The last comparisons of two releases of a workspace, which never change."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._remembered = lru_cache(maxsize=REMEMBERED)(lambda before, after: differences(workspace, before, after))

    def get(self, before: str, after: str) -> Differences:
        """Return what differs between two releases; raises ``NotFound``."""
        return self._remembered(before, after)

    def page(self, before: str, after: str, offset: int, limit: int) -> dict[str, Any]:
        """Return the counts, and of each kind of difference those from ``offset`` on, as plain data."""
        found = self.get(before, after)
        wanted = slice(offset, offset + limit)
        return {
            "before": found.before.plain(),
            "after": found.after.plain(),
            "counts": {
                "added": len(found.added),
                "removed": len(found.removed),
                "changed": len(found.changed),
                "same": found.same,
            },
            "added": [item.plain() for item in found.added[wanted]],
            "removed": [item.plain() for item in found.removed[wanted]],
            "changed": [change.plain() for change in changes(self.workspace, found.changed[wanted])],
        }


class ReleaseRoutes:
    """Serves the releases of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.releases = Releases(workspace)
        self.comparisons = Comparisons(workspace)

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(tags=["releases"])
        router.get("/releases")(self.all)
        router.get("/releases/{name}")(self.show)
        router.get("/releases/{name}/items")(self.items)
        router.get("/releases/{before}/diff/{after}")(self.diff)
        router.get("/revisions/{revision_id}/picture")(self.picture)
        return router

    def all(self) -> JSONResponse:
        """Return all releases, oldest first."""
        return JSONResponse({"releases": [release.plain() for release in self.releases.all()]})

    def show(self, name: str) -> JSONResponse:
        """Return a release."""
        return JSONResponse(self.releases.get(name).plain())

    def items(
        self, name: str, split: Annotated[Split | None, _or_none] = None, offset: Offset = 0, limit: Limit = 50
    ) -> JSONResponse:
        """Return a page of a release's items."""
        total, items = self.releases.page(name, split=split, offset=offset, limit=limit)
        return JSONResponse({"total": total, "items": [item.plain() for item in items]})

    def diff(self, before: str, after: str, offset: Offset = 0, limit: Limit = 50) -> JSONResponse:
        """Return what differs between two releases, a page of each kind."""
        return JSONResponse(self.comparisons.page(before, after, offset, limit))

    def picture(
        self, revision_id: str, request: Request, side: Annotated[int, Query(ge=32, le=1024)] = 320
    ) -> Response:
        """Return a JPEG of a revision's picture, of the given longest side, with its masks drawn."""
        tag = f'"{revision_id}-{side}"'
        headers = {"cache-control": CACHED, "etag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        sample = self.workspace.store.revision(revision_id).sample
        image = self.workspace.store.image(sample.image_id)
        pixels = read_reduced(self.workspace.blobs.read(image.id), image.file_name, side)
        drawn = overlay(pixels, [instance.mask for instance in sample.instances], [], side=side)
        quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        data = cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), quality)[1].tobytes()
        return Response(data, media_type="image/jpeg", headers=headers)
