"""The server: one FastAPI application of JSON routes, static files and the Gradio pages."""

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

from whyseg import __version__
from whyseg.curation.check_runs import CheckRuns
from whyseg.curation.clicks import ClickService
from whyseg.curation.drafting.base import Drafter
from whyseg.curation.drafting.template import TemplateDrafter
from whyseg.curation.people import Throughput
from whyseg.curation.workspace import Workspace
from whyseg.schemas.user import Role
from whyseg.ui import failures, openapi
from whyseg.ui.asking import Asking
from whyseg.ui.drafting import Drafting
from whyseg.ui.guards import LOOPBACK, guard
from whyseg.ui.login import Logins
from whyseg.ui.pictures import Pictures
from whyseg.ui.roles import PREFIX, Member, Who, authorise, member
from whyseg.ui.routes.asking import AskRoutes
from whyseg.ui.routes.assignments import AssignmentRoutes
from whyseg.ui.routes.clicks import ClickRoutes
from whyseg.ui.routes.coverage import CoverageRoutes
from whyseg.ui.routes.drafts import DraftRoutes
from whyseg.ui.routes.findings import FindingRoutes
from whyseg.ui.routes.leases import LeaseRoutes
from whyseg.ui.routes.people import PeopleRoutes
from whyseg.ui.routes.pictures import PictureRoutes
from whyseg.ui.routes.proposals import ProposalRoutes
from whyseg.ui.routes.releases import ReleaseRoutes
from whyseg.ui.routes.reviews import ReviewRoutes
from whyseg.ui.routes.samples import SampleRoutes
from whyseg.ui.sessions import Alone, Gate
from whyseg.ui.sight import Sight

STATIC = Path(__file__).parent / "static"
Describe = Callable[[], dict[str, str]]
THREADS = 64  # requests at work at once; a click that waits for the decoder holds one


def build_api(
    workspace: Workspace,
    clicks: ClickService,
    *,
    user: str = "local",
    team: Logins | None = None,
    hosts: Sequence[str] = LOOPBACK,
    describe: Describe | None = None,
    drafter: Drafter | None = None,
    asking: Asking | None = None,
) -> FastAPI:
    """Build the application without its pages: JSON routes, static files, guards.

    ``team`` lets its users in; without it everybody is ``user``. ``hosts``: the names that requests may give this
    server. ``describe`` says which segmenter runs, where the click service does not know that yet. ``drafter``: what
    proposes questions, by default rules. ``asking``: the policy that people ask, by default none.
    """
    asking = asking or Asking()
    runs, drafting = CheckRuns(workspace), Drafting(workspace, drafter or TemplateDrafter())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        clicks.start()
        drafting.start()
        asking.start()
        yield
        asking.close()
        drafting.close()
        runs.close()
        clicks.close()

    app = FastAPI(
        title="whyseg", version=__version__, docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json",
        lifespan=lifespan,
    )  # fmt: skip
    app.state.drafting = drafting
    failures.register(app)
    _admit(app, team, Member(user, Role.CURATOR))
    guard(app, hosts=hosts)  # outside of the gate: what is added last comes first
    api = APIRouter(prefix=PREFIX, dependencies=[Depends(authorise), Depends(Sight(workspace))])
    _add_stored(api, workspace, leased=team is not None)
    api.include_router(DraftRoutes(workspace, drafting).router())
    api.include_router(FindingRoutes(workspace, runs).router())
    app.state.throughput = Throughput(workspace.store.database)
    api.include_router(PeopleRoutes(workspace, app.state.throughput, team).router())
    api.include_router(ClickRoutes(workspace, clicks).router())
    api.include_router(AskRoutes(workspace, asking).router())

    _add_info(
        api, workspace, lambda: {"segmenter": (describe or clicks.describe)(), "drafter": drafting.describe()}, team
    )
    app.include_router(api)
    _add_assets(app)
    openapi.describe(app, team=team is not None)
    return app


def _add_stored(api: APIRouter, workspace: Workspace, *, leased: bool) -> None:
    """Add what the workspace alone answers; with ``leased`` only who has the lease on a sample changes it."""
    for routes in (
        PictureRoutes(Pictures(workspace)),
        AssignmentRoutes(workspace),
        LeaseRoutes(workspace),
        SampleRoutes(workspace, leased=leased),
        ReviewRoutes(workspace),
        CoverageRoutes(workspace),
        ProposalRoutes(workspace),
        ReleaseRoutes(workspace),
    ):
        api.include_router(routes.router())


def _add_info(api: APIRouter, workspace: Workspace, models: Callable[[], dict[str, Any]], team: Logins | None) -> None:
    """Add what a page asks for first; ``models`` describes those that run."""

    @api.get("/info")
    def info(who: Who) -> JSONResponse:
        """Say which version serves which workspace to whom, with which segmenter and which drafter."""
        return JSONResponse(
            {
                "version": __version__,
                "workspace": str(workspace.path.resolve()),
                **models(),
                "user": who.name,
                "role": who.role.value,
                "team": team is not None,
            }
        )


def _admit(app: FastAPI, team: Logins | None, alone: Member) -> None:
    """Have every request's user found out: of a team by signing in, else whoever is alone with the server."""
    if team is None:
        app.add_middleware(Alone, member=alone)
    else:
        app.add_middleware(Gate, sessions=team.sessions)
        app.include_router(team.router())


def _add_assets(app: FastAPI) -> None:
    """Add what is the same for every workspace."""

    @app.get("/healthz")
    def healthz() -> JSONResponse:
        """Say that the server answers."""
        return JSONResponse({"status": "ok"})

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> RedirectResponse:
        return RedirectResponse("/static/icon.svg")

    app.mount("/static", Modules(directory=STATIC), name="static")


def build_server(
    workspace: Workspace,
    clicks: ClickService,
    *,
    user: str = "local",
    team: Logins | None = None,
    hosts: Sequence[str] = LOOPBACK,
    describe: Describe | None = None,
    drafter: Drafter | None = None,
    asking: Asking | None = None,
) -> FastAPI:
    """Build the whole application: `build_api`, the Gradio pages at ``/app``, and the way there from ``/``."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # Gradio looks at it when it is imported
    from whyseg.ui.blocks import mount_page

    app = build_api(
        workspace, clicks, user=user, team=team, hosts=hosts, describe=describe, drafter=drafter, asking=asking
    )

    @app.get("/", include_in_schema=False)
    def home() -> RedirectResponse:
        return RedirectResponse("/app/")

    mount_page(app, workspace, app.state.throughput, auth_dependency=_name if team else None)
    return app


def _name(request: Request) -> str:
    """Return who asks for something of Gradio's, as it wants to know."""
    return member(request).name


class Modules(StaticFiles):
    """The canvas' modules and styles; browsers ask each time whether they changed, as modules import each other."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, with the right type whatever this machine's table of types says."""
        response = await super().get_response(path, scope)
        if path.endswith(".js"):
            response.headers["content-type"] = "text/javascript; charset=utf-8"
        response.headers["cache-control"] = "no-cache"
        return response
