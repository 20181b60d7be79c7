"""Drafts by a model behind any OpenAI-compatible endpoint: vLLM, Ollama, ``transformers serve``, a vendor."""

from collections.abc import Sequence
from typing import Any

from PIL import Image as PilImage

from whyseg.curation.drafting import prompts
from whyseg.curation.drafting.base import RgbArray
from whyseg.curation.drafting.endpoint import Answer, Endpoint
from whyseg.curation.drafting.parsing import Proposal, parse
from whyseg.schemas import Drafted, DraftProblem, QueryDraft, ReasoningType, Scene, Usage

TOKENS_A_DRAFT = 400


class OpenAIDrafter:
    """Shows the model the picture with the target outlined and a crop of it, and asks for JSON of a schema."""

    name = "openai"
    looks = True

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.model = endpoint.model

    def prompt_hash(self, reasoning_type: ReasoningType, depth: int, n: int) -> str:
        """Return the hash of everything the model is told, but for what the picture holds."""
        return prompts.prompt_hash(self.model, reasoning_type, depth, n)

    def draft(self, image: RgbArray, scene: Scene, *, reasoning_type: ReasoningType, depth: int, n: int) -> Drafted:
        """Draft up to ``n`` questions; raises ``EndpointDenied``."""
        if not scene.targets:
            return Drafted.without(DraftProblem(kind="declined", reason="the sample has no target"))
        messages = _messages(
            prompts.SYSTEM, prompts.instructions(scene, reasoning_type, depth, n), prompts.pictures(image, scene)
        )
        answer = self.endpoint.ask(messages, prompts.SCHEMA, tokens=TOKENS_A_DRAFT * (n + 1))
        if not isinstance(answer, Answer):
            return Drafted.without(answer.problem, answer.usage)
        found = parse(answer.text)
        if isinstance(found, DraftProblem):
            reason = f"{found.reason}; the answer was cut off" if answer.cut_off else found.reason
            return Drafted.without(found.model_copy(update={"reason": reason}), answer.usage)
        key = self.prompt_hash(reasoning_type, depth, n)
        return drafted(found[:n], answer.usage, self.name, self.model, key, reasoning_type, depth)

    def ask(self, system: str, text: str, pictures: Sequence[PilImage.Image], *, tokens: int) -> tuple[str, Usage]:
        """Return the model's reply to a text with pictures, empty where there is none, and its tokens."""
        answer = self.endpoint.ask(_messages(system, text, pictures), None, tokens=tokens)
        return (answer.text if isinstance(answer, Answer) else ""), answer.usage


def _messages(system: str, text: str, pictures: Sequence[PilImage.Image]) -> list[dict[str, Any]]:
    shown = [{"type": "image_url", "image_url": {"url": prompts.data_url(picture)}} for picture in pictures]
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": [{"type": "text", "text": text}, *shown]},
    ]


def drafted(
    found: list[Proposal], usage: Usage, drafter: str, model: str, key: str, reasoning_type: ReasoningType, depth: int
) -> Drafted:
    """Return a model's proposals as drafts."""
    drafts = [
        QueryDraft(
            text=proposal.query,
            is_sentence=proposal.is_sentence,
            reasoning_type=reasoning_type,
            depth=depth,
            hops=proposal.hops,
            label=proposal.answer,
            drafter=drafter,
            model=model,
            prompt_hash=key,
            tokens=usage.prompt_tokens + usage.completion_tokens,
        )
        for proposal in found
    ]
    return Drafted(drafts=tuple(drafts), usage=usage)
