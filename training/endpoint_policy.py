"""A policy behind an OpenAI-compatible endpoint, such as vLLM's: all samples of a question in one request."""

import base64
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from whyseg.curation.drafting.endpoint import Endpoint, Unanswered
from whyseg.curation.formats.geometry import picture_png
from whyseg.training.pictures import RgbArray, squashed
from whyseg.training.policies import AskedAsPreset
from whyseg.training.presets import Preset


class EndpointPolicy(AskedAsPreset):
    """A model at an address; ``at_once``: how many requests are under way at a time. A context manager, or `close`."""

    def __init__(self, endpoint: str, model: str, preset: Preset, *, at_once: int = 8, seconds: float = 300.0) -> None:
        self.preset, self.at_once = preset, at_once
        self.endpoint = Endpoint(endpoint, model, seconds=seconds)
        self.name = f"{model} at {self.endpoint.url.removesuffix('/chat/completions')}"

    def close(self) -> None:
        """Close the connections."""
        self.endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def answer(
        self,
        images: Sequence[RgbArray],
        queries: Sequence[str],
        *,
        k: int = 1,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
        max_tokens: int = 1024,
    ) -> list[list[str]]:
        """Ask as `Policy.answer` says; a server that gives fewer than ``k`` answers at once is asked again.

        Raises ``EndpointDenied`` when the server will answer no such request.
        """
        each = k if temperature > 0 else 1

        def one(number: int) -> list[str]:
            messages = self._messages(images[number], queries[number])
            texts: list[str] = []
            while len(texts) < each:
                sampling = {"temperature": temperature, "top_p": top_p, "seed": seed + len(texts)}
                found = self.endpoint.sample(messages, n=each - len(texts), tokens=max_tokens, **sampling)
                if isinstance(found, Unanswered):
                    texts += [""] * (each - len(texts))
                else:
                    texts += [answer.text for answer in found]
            return texts[:each] * (k // each)

        with ThreadPoolExecutor(self.at_once) as workers:
            return list(workers.map(one, range(len(queries))))

    def _messages(self, image: RgbArray, query: str) -> list[dict[str, Any]]:
        # As PNG: what a lossy picture would show differs from what the policy was trained on.
        png = base64.b64encode(picture_png(squashed(image, self.preset.policy.canvas))).decode()
        shown = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}}
        messages = [dict(message) for message in self.preset.messages(query, evaluation=True)]
        messages[-1]["content"] = [shown, {"type": "text", "text": messages[-1]["content"]}]
        return messages
