"""Policies that are asked about single pictures, by the pages and by ``whyseg predict``: an `Asker` of `curation`."""

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from whyseg.curation.asking import AskedAnswer, Settings, Vote
from whyseg.curation.images import RgbArray
from whyseg.schemas.errors import UsageError
from whyseg.training.mask_reward import Masks
from whyseg.training.policies import Policy, card_of, open_policy, require_there
from whyseg.training.predict import Sampling, usual_segmenter
from whyseg.training.presets import load_preset
from whyseg.training.seeing import ballot, seen
from whyseg.training.voting import vote

PORTION = 8  # answers that a model in this process gives at once: between two portions it may be told to stop

Told = Callable[[str], None]


@runtime_checkable
class _Closes(Protocol):
    def close(self) -> None: ...


class PolicyAsker:
    """A policy and its segmenter; ``portion``: how many answers are asked for at once, None all of them."""

    def __init__(self, policy: Policy, masks: Masks, *, portion: int | None = PORTION) -> None:
        self.policy, self.masks, self.portion = policy, masks, portion

    @property
    def name(self) -> str:
        """Which policy answers."""
        return self.policy.name

    @property
    def segmenter(self) -> str:
        """Which model makes masks."""
        return f"{self.masks.segmenter.name} {self.masks.segmenter.model}"

    def ask(
        self,
        key: Hashable,
        pixels: RgbArray,
        query: str,
        *,
        k: int,
        temperature: float | None = None,
        told: Callable[[int], None] = lambda done: None,
    ) -> tuple[AskedAnswer, ...]:
        """Ask as `Asker.ask` says."""
        return self.sampled(key, pixels, query, Sampling.of(k, temperature=temperature), told)

    def sampled(
        self,
        key: Hashable,
        pixels: RgbArray,
        query: str,
        sampling: Sampling,
        told: Callable[[int], None] = lambda done: None,
    ) -> tuple[AskedAnswer, ...]:
        """Ask with all that there is to say of the sampling; each portion has the seed that follows the last one's."""
        greedy = sampling.temperature <= 0
        portion = sampling.k if greedy or self.portion is None else self.portion
        size = pixels.shape[0], pixels.shape[1]
        answers: list[AskedAnswer] = []
        told(0)
        while len(answers) < sampling.k:
            some = {"k": min(portion, sampling.k - len(answers)), "seed": (sampling.seed + len(answers)) % 2**32}
            texts = self.policy.answer([pixels], [query], **{**sampling.plain(), **some})[0]
            answers += seen(texts, self.policy, self.masks, key, lambda: pixels, size)
            told(len(answers))
        return tuple(answers)

    def vote(self, answers: Sequence[AskedAnswer], size: tuple[int, int], settings: Settings) -> Vote:
        """Vote as `whyseg.training.voting` does."""
        return vote([ballot(answer) for answer in answers], size, settings)

    def close(self) -> None:
        """Close the policy's connections, where it has some."""
        if isinstance(self.policy, _Closes):
            self.policy.close()


def require_askable(source: str, preset: str | None, endpoint: str | None) -> None:
    """Raise ``UsageError`` for a policy of which it is not said how it is asked, before anything is loaded.

    Raises ``ModelUnavailable`` for a path that nothing lies at.
    """
    if preset is not None:
        load_preset(preset)
        if endpoint is None:
            require_there(source)
    elif endpoint is not None or card_of(Path(source).expanduser()) is None:
        raise UsageError(f"{source} does not say how it is asked: give --policy-preset")


def open_asker(
    source: str, *, preset: str | None = None, endpoint: str | None = None, segmenter: str | None = None,
    told: Told = lambda text: None,
) -> PolicyAsker:  # fmt: skip
    """Return a policy, as `open_policy` finds it, with what makes masks of its answers: by default the usual model.

    ``told`` hears what takes long, and which segmenter it is. Raises ``UsageError``, ``ModelUnavailable`` and
    ``ModelFailed`` as they do.
    """
    from whyseg.curation.segmenters import choose

    policy = open_policy(source, preset=preset, endpoint=endpoint)
    asker = None
    try:
        chosen, reason = choose(model=segmenter or usual_segmenter(policy), told=told)
        told(reason)
        asker = PolicyAsker(policy, Masks(chosen), portion=None if endpoint else PORTION)
    finally:
        if asker is None and isinstance(policy, _Closes):
            policy.close()
    return asker
