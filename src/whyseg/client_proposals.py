"""The client's methods for what a model says of samples, and for the changes that it proposes."""

from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import quote

from whyseg.schemas import Proposal, ScoreRun, Signals

PROPOSAL_ROUTES = {
    ("GET", "/samples/{sample_id}/signals"): "signals",
    ("GET", "/proposals"): "proposals",
    ("GET", "/proposals/{proposal_id}/picture"): "proposal_picture",
    ("POST", "/proposals/{proposal_id}/accept"): "accept_proposal",
    ("POST", "/proposals/{proposal_id}/dismiss"): "dismiss_proposal",
}


class ProposalMethods(ABC):
    """What a model's answers say, and what became of it; `Client` has it all."""

    @abstractmethod
    def _json(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]: ...

    @abstractmethod
    def _bytes(self, path: str, **query: Any) -> bytes: ...

    def signals(self, sample_id: str) -> tuple[ScoreRun, Signals] | None:
        """Return what the newest run that scored a sample says of it; None where none has."""
        found = self._json("GET", f"samples/{quote(sample_id, safe='')}/signals")
        return (ScoreRun.parse(found["run"]), Signals.parse(found["signals"])) if found["run"] else None

    def proposals(self, **wanted: Any) -> list[Proposal]:
        """Return a page of the proposals that match, the surest first.

        ``wanted``: state (open, as without it, | accepted | dismissed | stale, or "" for all), reason, sample_id,
        offset, limit.
        """
        return [Proposal.parse(one) for one in self._json("GET", "proposals", **wanted)["proposals"]]

    def proposal_picture(self, proposal_id: str, *, side: int = 640) -> bytes:
        """Return a JPEG of the sample before and after, side by side."""
        return self._bytes(f"proposals/{quote(proposal_id, safe='')}/picture", side=side)

    def accept_proposal(self, proposal_id: str) -> dict[str, Any]:
        """Have a sample changed as proposed; returns where it stands then: ``{"revision", "number", "state"}``."""
        return self._json("POST", f"proposals/{quote(proposal_id, safe='')}/accept")

    def dismiss_proposal(self, proposal_id: str) -> Proposal:
        """Decide that a proposal is not followed; returns it."""
        return Proposal.parse(self._json("POST", f"proposals/{quote(proposal_id, safe='')}/dismiss"))
