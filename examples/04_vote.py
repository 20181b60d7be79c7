"""Make one mask of many answers to a question, and see what other settings would make of the same answers.

    python examples/04_vote.py CANDIDATES.json

`whyseg vote` reads the same file: the answers that a model gave, with a segmenter's masks for them.
"""

import argparse
from pathlib import Path

from whyseg.training.candidates import read_candidates
from whyseg.training.voting import Settings


def main() -> None:
    """Vote with StAR's settings, then pixel by pixel."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("candidates", type=Path, help="the answers and their masks")
    ballots = read_candidates(words.parse_args().candidates).ballots()
    for settings in (Settings(), Settings(mode="consensus", iou=0.75)):
        found = ballots.vote(settings)
        pixels = found.mask.area if found.mask else 0
        print(f"{settings.mode}: {found.outcome}, {pixels} pixels, agreement {found.agreement:.2f}")
        for cluster in found.clusters:
            chosen = "chosen" if cluster.chosen else "left out"
            print(f"  {cluster.votes} of {found.valid} answers, {cluster.mask.area} pixels, {chosen}")


if __name__ == "__main__":
    main()
