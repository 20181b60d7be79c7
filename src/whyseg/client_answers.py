"""The client's methods for handing out work: assignments, blind answers, gold items, agreement."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

ANSWER_ROUTES = {
    ("POST", "/assignments"): "assign",
    ("GET", "/assignments"): "assignments",
    ("POST", "/overlaps"): "hand_out",
    ("GET", "/overlaps"): "overlaps",
    ("GET", "/overlaps/{sample_id}"): "overlap",
    ("POST", "/overlaps/{sample_id}/adopt"): "adopt",
    ("POST", "/gold"): "mark_gold",
    ("GET", "/gold"): "gold",
    ("DELETE", "/gold/{sample_id}"): "unmark_gold",
    ("POST", "/gold/hand-out"): "hand_out_gold",
    ("GET", "/agreement"): "agreement",
}


class AnswerMethods(ABC):
    """What whoever hands out work asks a server for; `Client` has it all."""

    @abstractmethod
    def _json(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]: ...

    def assign(self, sample_ids: Sequence[str], user: str | None) -> int:
        """Make samples somebody's to work on, or nobody's; returns how many have changed hands."""
        return int(self._json("POST", "assignments", {"sample_ids": list(sample_ids), "user": user})["changed"])

    def assignments(self, **wanted: Any) -> dict[str, Any]:
        """Return a page of the assignments: ``{"total", "assignments"}``; ``wanted``: user, offset, limit."""
        return self._json("GET", "assignments", **wanted)

    def hand_out(self, sample_ids: Sequence[str], users: Sequence[str], *, each: int | None = None) -> dict[str, Any]:
        """Hand samples out as blind answers, to all users or to ``each`` of them: ``{"answers", "skipped"}``."""
        body = {"sample_ids": list(sample_ids), "users": list(users), "each": each}
        return self._json("POST", "overlaps", body)

    def overlaps(self, **wanted: Any) -> dict[str, Any]:
        """Return a page of the samples with answers: ``{"total", "overlaps"}``; ``wanted``: order, offset, limit."""
        return self._json("GET", "overlaps", **wanted)

    def overlap(self, sample_id: str) -> dict[str, Any]:
        """Return a sample with the blind answers to it, each compared with each."""
        return self._json("GET", f"overlaps/{quote(sample_id, safe='')}")

    def adopt(self, sample_id: str, answer: str, *, parent: str) -> dict[str, Any]:
        """Take an answer as a new revision of its original: ``{"revision", "number", "state"}``."""
        body = {"answer": answer, "parent": parent}
        return self._json("POST", f"overlaps/{quote(sample_id, safe='')}/adopt", body)

    def mark_gold(self, sample_ids: Sequence[str]) -> int:
        """Mark accepted samples as gold, as they stand; returns how many were not before."""
        return int(self._json("POST", "gold", {"sample_ids": list(sample_ids)})["changed"])

    def gold(self, **wanted: Any) -> dict[str, Any]:
        """Return a page of the gold items: ``{"total", "gold"}``; ``wanted``: offset, limit."""
        return self._json("GET", "gold", **wanted)

    def unmark_gold(self, sample_id: str) -> None:
        """Make a sample no longer gold."""
        self._json("DELETE", f"gold/{quote(sample_id, safe='')}")

    def hand_out_gold(
        self, users: Sequence[str], *, sample_ids: Sequence[str] | None = None, each: int | None = None
    ) -> dict[str, Any]:
        """Hand gold items out as blind answers, all of them or some: ``{"answers", "skipped"}``."""
        body = {"sample_ids": list(sample_ids) if sample_ids else None, "users": list(users), "each": each}
        return self._json("POST", "gold/hand-out", body)

    def agreement(self) -> dict[str, Any]:
        """Return how far people agree, with each other and with gold."""
        return self._json("GET", "agreement")
