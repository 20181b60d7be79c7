"""Every question of the world has the answer that a reader with other eyes finds."""

import numpy as np
import pytest

from tests.training.world.solver import solve
from whyseg.schemas.sample import ReasoningType
from whyseg.training.world.dataset import World, samples
from whyseg.training.world.questions import CHAINS, Asked, ask
from whyseg.training.world.scenes import make_scene

CELLS = [(kind, depth) for kind in ReasoningType for depth in (1, 2, 3, 4)]


def found_of(asked: Asked) -> set[tuple[int, str]]:
    things = [asked.scene.things.index(thing) for thing in asked.found]
    last = asked.steps[-1]
    return {(number, last.value if last.what == "part" else "") for number in things}


def some(kind: ReasoningType, depth: int, *, no_target: bool, number: int) -> list[Asked]:
    share = 1.0 if no_target else 0.0
    world = World(reasoning_types=(kind,), depths=(depth,), no_target=share)
    return [item.asked for item in samples(number, 5, world)]


@pytest.mark.parametrize("no_target", [False, True])
@pytest.mark.parametrize(("kind", "depth"), CELLS)
def test_a_second_reader_finds_exactly_the_given_answers(kind: ReasoningType, depth: int, no_target: bool) -> None:
    for asked in some(kind, depth, no_target=no_target, number=12):
        assert solve(asked.text, asked.scene) == found_of(asked), asked.text
        assert len(asked.hops) == len(asked.steps) == depth


@pytest.mark.parametrize(("kind", "depth"), CELLS)
def test_nothing_answers_a_question_without_a_target(kind: ReasoningType, depth: int) -> None:
    for asked in some(kind, depth, no_target=True, number=5):
        # Something is always the leftmost: the one cell that has no such questions.
        assert (asked.targets == ()) == ((kind, depth) != (ReasoningType.COMPARATIVE_RELATIONAL, 1))


def test_every_cell_has_chains_of_its_depth() -> None:
    assert {(kind, depth) for kind, depth in CHAINS} == set(CELLS)
    assert all(len(chain.split()) == depth for (_, depth), chains in CHAINS.items() for chain in chains)


def test_every_chain_comes_up() -> None:
    rng, seen = np.random.default_rng(0), set[tuple[ReasoningType, int, str]]()
    wanted = {(*cell, chain) for cell, chains in CHAINS.items() for chain in chains if cell[1] < 4}
    for seed in range(600):
        scene = make_scene(seed)
        for kind, depth in (cell for cell in CELLS if cell[1] < 4):
            if asked := ask(rng, scene, kind, depth):
                names = ["nearest" if step.value == "nearest" else step.what for step in asked.steps]
                told = ["" if step.told else "?" for step in asked.steps]
                seen.add((kind, depth, " ".join(map("".join, zip(names, told, strict=True)))))
        if wanted <= seen:
            break
    assert wanted - seen == set()


def test_a_kind_of_question_has_many_wordings() -> None:
    texts = {
        item.asked.text
        for item in samples(150, 3, World(depths=(1,), reasoning_types=(ReasoningType.FUNCTION_PURPOSE,)))
        if item.asked.steps[0].value == "cup"
    }
    assert len(texts) >= 10
