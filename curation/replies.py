"""What the click service answers."""

from typing import Literal

from whyseg.curation.segmenters.crops import Crop
from whyseg.schemas.record import Record


class Timings(Record):
    """Milliseconds: waiting for the model (encoding the image included), decoding, enlarging, run-length encoding."""

    wait: float
    model: float
    enlarge: float
    rle: float


class ClickReply(Record):
    """The answer to a click: the best candidate, and all candidates' scores, best first."""

    seq: int
    best: Crop
    scores: tuple[float, ...]
    ms: Timings


class Superseded(Record):
    """No answer: the client has asked again since."""

    seq: int


class EncodeStatus(Record):
    """How far an image is, and for how many seconds (ready: how long it took). Absent: nobody waits for it."""

    state: Literal["absent", "queued", "encoding", "ready", "failed"]
    seconds: float = 0.0
    message: str | None = None
