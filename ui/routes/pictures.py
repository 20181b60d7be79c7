"""``/images``: pictures and thumbnails by id."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from whyseg.ui.pictures import Picture, Pictures

CACHED = "private, max-age=31536000, immutable"  # an id is the hash of what it names


class PictureRoutes:
    """Serves the pictures of a workspace."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/images/{image_id}", tags=["images"])
        router.get("")(self.picture)
        router.get("/thumbnail")(self.thumbnail)
        return router

    def picture(self, image_id: str, request: Request) -> Response:
        """Return the upright picture."""
        return answer_with(request, self.pictures.upright(image_id), f'"{image_id}"')

    def thumbnail(self, image_id: str, request: Request, side: Annotated[int, Query(ge=32, le=1024)] = 256) -> Response:
        """Return a JPEG of the given longest side."""
        return answer_with(request, self.pictures.thumbnail(image_id, side), f'"{image_id}-{side}"')


def answer_with(request: Request, picture: Picture, tag: str) -> Response:
    """Return a picture that never changes, or 304 where the browser has the one of this tag already."""
    headers = {"cache-control": CACHED, "etag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(picture.data, media_type=picture.media_type, headers=headers)
