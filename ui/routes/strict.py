"""How the routes read JSON: as strictly as records do."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic_core import from_json


class _StrictRequest(Request):
    async def json(self) -> Any:
        """Return the body; half a surrogate pair and NaN, which Python's own parser lets through, are refused."""
        return from_json(await self.body(), allow_inf_nan=False)


class StrictRoute(APIRoute):
    """A route whose body is JSON as the standard has it; pass it as a router's ``route_class``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, given the stricter request."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strict
