"""``/users``, ``/me``, ``/people`` and ``/audit``: who may sign in, what everybody did, and what the audit log says."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from whyseg.curation.audit_pages import AuditFilter, audit_page
from whyseg.curation.people import Throughput
from whyseg.curation.times import moment
from whyseg.curation.users import PASSWORD_LENGTHS, Users
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import UsageError
from whyseg.schemas.user import Role
from whyseg.ui.login import Logins
from whyseg.ui.roles import Who
from whyseg.ui.routes.strict import StrictRoute
from whyseg.ui.sessions import hand_out

MAX_OFFSET = 2**31
Name = Annotated[str, Field(max_length=200)]
Password = Annotated[str, Field(max_length=PASSWORD_LENGTHS.stop - 1)]
_or_none = BeforeValidator(lambda value: value or None)  # a form's empty field restricts nothing
Word = Annotated[Annotated[str, Field(max_length=200)] | None, _or_none]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)  # it may hold a password


class NewUser(_Body):
    """Somebody who may sign in from now on."""

    name: Name
    role: Role
    password: Password


class UserChange(_Body):
    """What changes of a user; what is null stays."""

    role: Role | None = None
    disabled: bool | None = None
    password: Password | None = None


class OwnPassword(_Body):
    """One's own password: the one that one has, and the one to have."""

    old: Password
    new: Password


class PeopleRoutes:
    """Serves those who manage a team; ``logins`` are those of a server in team mode."""

    def __init__(self, workspace: Workspace, throughput: Throughput, logins: Logins | None) -> None:
        self.workspace = workspace
        self.throughput = throughput
        self.logins = logins
        self.users = logins.users if logins else Users(workspace.store.database)

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(tags=["people"], route_class=StrictRoute)
        router.get("/users")(self.all)
        router.post("/users", status_code=201)(self.add)
        router.put("/users/{name}")(self.change)
        router.put("/me/password")(self.own_password)
        router.get("/people")(self.people)
        router.get("/audit")(self.audit)
        return router

    def all(self) -> JSONResponse:
        """Return all users by name."""
        return JSONResponse({"users": [user.plain() for user in self.users.list()]})

    def add(self, body: NewUser, who: Who) -> JSONResponse:
        """Add a user."""
        return JSONResponse(self.users.add(body.name, body.role, body.password, author=who.name).plain(), 201)

    def change(self, name: str, body: UserChange, who: Who) -> JSONResponse:
        """Change a user's role, keep them out or let them in, give them another password: all of it or nothing."""
        changed = self.users.change(
            name, role=body.role, disabled=body.disabled, password=body.password, author=who.name, keep_curator=True
        )
        return JSONResponse(changed.plain())

    def own_password(self, body: OwnPassword, who: Who, request: Request) -> JSONResponse:
        """Change one's own password: every session but a new one of this browser is over."""
        if self.logins is None:
            raise UsageError("this server is for one person, who does not sign in: there is no password to change")
        self.logins.check(who.name, body.old, request)
        user = self.users.change(who.name, password=body.new, author=who.name)
        answer = JSONResponse(user.plain())
        hand_out(answer, request, self.logins.sessions.start(user))
        return answer

    def people(
        self,
        since: Annotated[date | None, _or_none] = None,
        until: Annotated[date | None, _or_none] = None,
    ) -> JSONResponse:
        """Return what everybody did, on days in UTC."""
        return JSONResponse(self.throughput.people(since, until).plain())

    def audit(
        self,
        actor: Word = None,
        action: Word = None,
        subject: Word = None,
        since: Word = None,
        until: Word = None,
        offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> JSONResponse:
        """Return a page of the audit log, newest first."""
        wanted = AuditFilter(
            actor=actor,
            action=action,
            subject=subject,
            since=moment(since) if since else None,
            until=moment(until) if until else None,
        )
        return JSONResponse(audit_page(self.workspace.store.database, wanted, offset=offset, limit=limit).plain())
