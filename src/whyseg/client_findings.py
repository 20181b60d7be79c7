"""The client's methods for findings and checks, and for what is wanted of each reasoning type and depth."""

from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import quote

FINDING_ROUTES = {
    ("GET", "/findings"): "findings",
    ("GET", "/findings/{finding_id}/picture"): "finding_picture",
    ("PUT", "/findings/{finding_id}/set-aside"): "set_aside",
    ("DELETE", "/findings/{finding_id}/set-aside"): "bring_back",
    ("GET", "/checks"): "checks",
    ("POST", "/checks"): "check",
    ("GET", "/stats"): "stats",
    ("PUT", "/targets"): "set_target",
}


class FindingMethods(ABC):
    """What looks wrong, and what is missing; `Client` has it all."""

    @abstractmethod
    def _json(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]: ...

    @abstractmethod
    def _bytes(self, path: str, **query: Any) -> bytes: ...

    def findings(self, **wanted: Any) -> dict[str, Any]:
        """Return a page of the findings: ``{"total", "kinds", "severities", "findings"}``.

        ``wanted``: kind, severity, sample_id, gone and set_aside (also such), order (severity | newest), offset, limit.
        """
        return self._json("GET", "findings", **wanted)

    def finding_picture(self, finding_id: str, *, side: int = 320) -> bytes:
        """Return a small JPEG of a finding's picture with its place drawn."""
        return self._bytes(f"findings/{quote(finding_id, safe='')}/picture", side=side)

    def set_aside(self, finding_id: str, reason: str) -> dict[str, Any]:
        """Say that a finding is no mistake, and why; returns it."""
        return self._json("PUT", f"findings/{quote(finding_id, safe='')}/set-aside", {"reason": reason})

    def bring_back(self, finding_id: str) -> dict[str, Any]:
        """Put a finding that was set aside on the list again; returns it."""
        return self._json("DELETE", f"findings/{quote(finding_id, safe='')}/set-aside")

    def checks(self) -> dict[str, Any]:
        """Return how far the checks are, and what came of their last run: ``{"running", "last"}``."""
        return self._json("GET", "checks")

    def check(self) -> dict[str, Any]:
        """Have the server run the checks; returns at once what `checks` does."""
        return self._json("POST", "checks")

    def stats(self) -> dict[str, Any]:
        """Return the workspace's counts, the targets of each type and depth, and what is wanted most."""
        return self._json("GET", "stats")

    def set_target(self, reasoning_type: str, depth: int, target: int) -> dict[str, Any]:
        """Say how many accepted samples of a type and depth are wanted; returns what `stats` does."""
        return self._json("PUT", "targets", {"reasoning_type": reasoning_type, "depth": depth, "target": target})
