"""The demo's workspace: photographs that lie in other packages, and a question to each, so that nothing is downloaded.

Where the photographs come from and under which terms is said by the documentation of the packages that bring them.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from whyseg.curation.importing import import_images
from whyseg.curation.intake import ImportReport
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Point, ReasoningType
from whyseg.schemas.errors import UsageError

AUTHOR = "demo"
INSTALL = "pip install 'whyseg[demo]'"


@dataclass(frozen=True)
class Target:
    """An object: its label, the click that finds it and the one that refines the mask, in pixels (x, y)."""

    label: str
    first: Point
    second: Point


@dataclass(frozen=True)
class Photo:
    """A photograph in an installed package, its terms, and the question that the demo asks of it."""

    package: str
    file: str
    license: str
    query: str
    reasoning_type: ReasoningType
    hops: tuple[str, ...]
    targets: tuple[Target, ...]

    @property
    def name(self) -> str:
        """The file's name."""
        return Path(self.file).name

    def path(self) -> Path | None:
        """Return where the photograph lies; None where the package is not installed or has it no longer."""
        spec = find_spec(self.package)  # without importing it: scikit-learn takes a second
        if spec is None or spec.origin is None:
            return None
        path = Path(spec.origin).parent / self.file
        return path if path.is_file() else None


PHOTOS = (
    Photo(
        "skimage",
        "data/coffee.png",
        "CC0-1.0; photograph by Rachel Michetti, courtesy of Pikolo Espresso Bar",
        "What would you use to stir sugar into this drink?",
        ReasoningType.FUNCTION_PURPOSE,
        ("Sugar is stirred in with a spoon, and one lies on the saucer.",),
        (Target("spoon", Point(x=365, y=285), Point(x=430, y=265, positive=False)),),
    ),
    Photo(
        "skimage",
        "data/astronaut.png",
        "public domain, no known copyright restrictions; NASA Great Images database",
        "What will she put on last, to be able to breathe where there is no air?",
        ReasoningType.COMMONSENSE,
        (
            "Where there is no air, a suit must enclose the whole body.",
            "She wears all of it but the helmet beside her.",
        ),
        (Target("helmet", Point(x=380, y=440), Point(x=470, y=385)),),
    ),
    Photo(
        "skimage",
        "data/chelsea.png",
        "CC0-1.0; photograph by Stefan van der Walt",
        "With what does this animal find its way at dusk?",
        ReasoningType.COMMONSENSE,
        ("Cats see well where there is little light.", "They see with their eyes, and both are open."),
        (
            Target("left eye", Point(x=150, y=115), Point(x=190, y=115)),
            Target("right eye", Point(x=320, y=135), Point(x=355, y=165, positive=False)),
        ),
    ),
    Photo(
        "skimage",
        "data/rocket.jpg",
        "public domain; photograph by SpaceX",
        "Which of the tall things here is made to leave the ground?",
        ReasoningType.COMPARATIVE_RELATIONAL,
        ("The towers stand fast; the rocket between them flies.",),
        (Target("rocket", Point(x=321, y=280), Point(x=321, y=160)),),
    ),
    Photo(
        "skimage",
        "data/motorcycle_left.png",
        "no licence stated; Middlebury 2014 stereo benchmark (D. Scharstein et al., GCPR 2014), reduced",
        "Which of its parts have to turn for it to move along the road?",
        ReasoningType.COMPOSITIONAL,
        ("A motorcycle moves by rolling.", "It rolls on its wheels.", "There are two, one at each end."),
        (
            Target("rear wheel", Point(x=175, y=300), Point(x=250, y=230, positive=False)),
            Target("front wheel", Point(x=655, y=400), Point(x=590, y=275, positive=False)),
        ),
    ),
    Photo(
        "sklearn",
        "datasets/images/china.jpg",
        "CC-BY-2.0; photograph by danielbuechele",
        "Which roof of this tower does the rain reach first?",
        ReasoningType.COMPARATIVE_RELATIONAL,
        ("Rain falls from above.", "Of the tower's roofs the topmost has nothing over it."),
        (Target("top roof", Point(x=225, y=100), Point(x=205, y=145, positive=False)),),
    ),
    Photo(
        "sklearn",
        "datasets/images/flower.jpg",
        "CC-BY-2.0; photograph by vultilion",
        "Which of these blooms shows its whole face to the camera?",
        ReasoningType.COMPARATIVE_RELATIONAL,
        ("One bloom is cut off by the picture's edge; the other is seen whole.",),
        (Target("dahlia", Point(x=305, y=225), Point(x=365, y=405, positive=False)),),
    ),
)


def installed() -> list[tuple[Photo, Path]]:
    """Return the photographs that are on this machine, and where.

    Raises ``UsageError`` when none of the packages that bring them is installed.
    """
    found = [(photo, path) for photo in PHOTOS if (path := photo.path()) is not None]
    if not found:
        raise UsageError(f"the demo's photographs come with scikit-image and scikit-learn, install them: {INSTALL}")
    return found


def bring(workspace: Workspace, photo: Photo, path: Path) -> ImportReport:
    """Import one photograph with its terms and an empty sample; one that is there already is left alone."""
    return import_images(workspace, path, author=AUTHOR, license=photo.license)


def prepare(workspace: Workspace) -> ImportReport:
    """Import all photographs that are on this machine; raises as `installed` does."""
    report = ImportReport()
    for photo, path in installed():
        report += bring(workspace, photo, path)
    return report
