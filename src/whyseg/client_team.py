"""The client's methods for a team: users, passwords, throughput, the audit log, and the history of a sample."""

from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import quote

from whyseg.schemas.user import Role, User

TEAM_ROUTES = {
    ("GET", "/users"): "users",
    ("POST", "/users"): "add_user",
    ("PUT", "/users/{name}"): "change_user",
    ("PUT", "/me/password"): "change_password",
    ("GET", "/people"): "people",
    ("GET", "/audit"): "audit",
    ("GET", "/samples/{sample_id}/history"): "history",
}


class TeamMethods(ABC):
    """What whoever manages a team asks a server for; `Client` has it all."""

    @abstractmethod
    def _json(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]: ...

    def users(self) -> list[User]:
        """Return all users by name."""
        return [User.parse(one) for one in self._json("GET", "users")["users"]]

    def add_user(self, name: str, role: Role | str, password: str) -> User:
        """Add a user."""
        return User.parse(self._json("POST", "users", {"name": name, "role": Role(role).value, "password": password}))

    def change_user(
        self, name: str, *, role: Role | str | None = None, disabled: bool | None = None, password: str | None = None
    ) -> User:
        """Change what is not None of a user: all of it or nothing, from the next request on."""
        wanted = Role(role).value if role is not None else None
        body = {"role": wanted, "disabled": disabled, "password": password}
        return User.parse(self._json("PUT", f"users/{quote(name, safe='')}", body))

    def change_password(self, old: str, new: str) -> User:
        """Change one's own password; every other session of one's own is over."""
        return User.parse(self._json("PUT", "me/password", {"old": old, "new": new}))

    def people(self, *, since: str | None = None, until: str | None = None) -> dict[str, Any]:
        """Return what everybody did, on days such as "2026-01-31" (UTC), both included."""
        return self._json("GET", "people", since=since, until=until)

    def audit(self, **wanted: Any) -> dict[str, Any]:
        """Return a page of the audit log, newest first: ``{"total", "verified", "entries"}``.

        ``wanted``: actor, action, subject, since and until (times; until is not included), offset, limit.
        """
        return self._json("GET", "audit", **wanted)

    def history(self, sample_id: str) -> list[dict[str, Any]]:
        """Return what happened to a sample, newest first."""
        return list(self._json("GET", f"samples/{quote(sample_id, safe='')}/history")["history"])
