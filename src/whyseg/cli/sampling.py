"""How a policy is asked: the options that every command with a policy shares."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from whyseg.training.predict import Sampling

SamplesOption = Annotated[
    int, typer.Option("--samples", "--votes", min=1, help="Answers to a question; above 1 they are voted on.")
]
TemperatureOption = Annotated[
    float | None, typer.Option(metavar="T", help="Greedy for one answer, 1 for several.", show_default=False)
]
TopPOption = Annotated[
    float | None, typer.Option(metavar="P", help="1 for one answer, 0.9 for several.", show_default=False)
]
MaxTokensOption = Annotated[int, typer.Option(min=1, help="The longest answer.")]
SeedOption = Annotated[int, typer.Option(min=0, help="For several answers.")]
LONGEST, SEED = 1024, 42


def require_unasked(candidates: Path | None, preset: str | None, endpoint: str | None) -> None:
    """Raise ``UsageError`` for options of a policy that is asked, beside answers that are there."""
    from whyseg.schemas.errors import UsageError

    words = [name for name, value in (("--preset", preset), ("--endpoint", endpoint)) if value is not None]
    if candidates is not None and words:
        raise UsageError(f"--candidates are answers that are there: nobody is asked; {' and '.join(words)} do not fit")


def sampling_of(words: dict[str, Any]) -> "Sampling":
    """Return the sampling that options give; raises ``UsageError`` for what cannot be sampled."""
    from whyseg.schemas.errors import InvalidRecord, UsageError
    from whyseg.training.predict import Sampling

    try:
        return Sampling.of(**words)
    except InvalidRecord as error:
        raise UsageError(str(error)) from error
