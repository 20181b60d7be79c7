"""The client's methods for the policy: questions about any picture, its answers and their vote."""

import base64
from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import quote

MODEL_ROUTES = {
    ("GET", "/ask"): "policy",
    ("POST", "/ask"): "ask",
    ("POST", "/ask/pictures"): "send_picture",
    ("GET", "/ask/pictures/{image_id}"): "sent_picture",
    ("GET", "/ask/{ask_id}"): "asked",
    ("DELETE", "/ask/{ask_id}"): "cancel",
    ("POST", "/ask/{ask_id}/vote"): "vote",
    ("POST", "/ask/{ask_id}/sample"): "take",
}


class ModelMethods(ABC):
    """What a policy says; `Client` has it all."""

    @abstractmethod
    def _json(self, method: str, path: str, body: Any = None, **query: Any) -> dict[str, Any]: ...

    @abstractmethod
    def _bytes(self, path: str, **query: Any) -> bytes: ...

    def policy(self) -> dict[str, Any]:
        """Return which policy runs, or why none does, and one's last question: ``{"policy", "newest"}``."""
        return self._json("GET", "ask")

    def send_picture(self, data: bytes, *, name: str = "picture") -> dict[str, Any]:
        """Send a picture file to ask about; returns ``{"image", "in_workspace"}``. It is not added to the workspace."""
        return self._json("POST", "ask/pictures", {"name": name, "data": base64.b64encode(data).decode()})

    def sent_picture(self, image_id: str) -> bytes:
        """Return the file of a picture that one has sent, upright."""
        return self._bytes(f"ask/pictures/{quote(image_id, safe='')}")

    def ask(
        self,
        image_id: str,
        query: str,
        *,
        k: int = 1,
        temperature: float | None = None,
        settings: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Have the policy asked for ``k`` answers, and return the question at once; `asked` tells how far it is.

        ``settings``: what the vote goes by, a dict of no_object, iou, votes, mode and pixels.
        """
        body = {"image_id": image_id, "query": query, "k": k, "temperature": temperature, "settings": settings or {}}
        return self._json("POST", "ask", body)

    def asked(self, ask_id: str) -> dict[str, Any]:
        """Return a question, with its answers and their vote when its state is "done"."""
        return self._json("GET", f"ask/{quote(ask_id, safe='')}")

    def cancel(self, ask_id: str) -> dict[str, Any]:
        """End a question that has no answers yet; returns it."""
        return self._json("DELETE", f"ask/{quote(ask_id, safe='')}")

    def vote(self, ask_id: str, **settings: Any) -> dict[str, Any]:
        """Vote on a question's answers by other settings; returns the vote, and asks nothing again."""
        return self._json("POST", f"ask/{quote(ask_id, safe='')}/vote", {"settings": settings})

    def take(self, ask_id: str, **settings: Any) -> dict[str, Any]:
        """Make a draft sample of the question and what the vote by ``settings`` chose; returns where it stands."""
        return self._json("POST", f"ask/{quote(ask_id, safe='')}/sample", {"settings": settings})
