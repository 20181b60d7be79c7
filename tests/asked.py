"""A policy to ask in tests: scripted answers, the fake segmenter's masks, real votes."""

import threading
from collections.abc import Callable

from tests.fakes import FakeSegmenter
from tests.training.scripted import ScriptedPolicy, said
from whyseg.training.asker import PolicyAsker
from whyseg.training.mask_reward import Masks

# Of every 4 answers two see one thing, one another, and one cannot be read.
CUP, PLATE = (2, 2, 38, 18), (2, 2, 38, 28)
TEXTS = (
    f"<think>it holds <b>tea</b></think>{said(CUP)[said(CUP).index('<answer>') :]}",
    said(CUP),
    said(PLATE),
    "no <script>alert(1)</script> answer \x07",
)


def scripted_asker(
    script: Callable[[str, int], str] = lambda query, number: TEXTS[number % 4],
    *,
    radii: tuple[float, ...] = (8.0, 4.0),
    portion: int = 4,
) -> PolicyAsker:
    """Return an asker of a policy that says what ``script(query, number)`` does, ``number`` counted in a portion."""
    return PolicyAsker(ScriptedPolicy(script), Masks(FakeSegmenter(radii=radii)), portion=portion)


class Held:
    """A script that waits at every portion until `free` is set; ``begun`` says that one is being answered."""

    def __init__(self) -> None:
        self.free, self.begun = threading.Event(), threading.Event()

    def __call__(self, query: str, number: int) -> str:
        """Answer when it may."""
        self.begun.set()
        if not self.free.wait(20):
            raise TimeoutError("nobody lets the policy answer")
        return TEXTS[number % 4]
