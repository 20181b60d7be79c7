"""How four lines of work count a sample: what becomes of ignore regions, of empty unions, of failures.

Per sample I = |P ∩ T| and U = |P ∪ T| in pixels of the original picture, P the predicted mask, T the target. gIoU is
the mean of I / U, cIoU is ΣI / ΣU. Where no answer could be read, I = 0 and U = |T| in all four, and the same rules
hold for them: a failed answer to a question without a target has U = 0. (LISA's model cannot fail; I = 0 and U = |T|
is what the others do.)

==================  ==============================  =======  ========
protocol            ignore region                   U = 0    I / U
==================  ==============================  =======  ========
`lisa`              left out of P and T             IoU 1    I / (U + 10⁻⁵)
`seg_zero`          part of the target              IoU 0    I / U
`vision_reasoner`   part of the target              IoU 0    I / U
`star`              part of the target              IoU 1    I / U
==================  ==============================  =======  ========

The ignore region is part of the target where the evaluation sets of these works were made by casting masks to truth
values. Seg-Zero's evaluation script gives an empty union 0 and its inference script skips it; the former is here.
Sources: the evaluation code of LISA, Seg-Zero, VisionReasoner and StAR, as released.
"""

from typing import Literal

from whyseg.schemas import Record
from whyseg.schemas.errors import UsageError

ProtocolName = Literal["lisa", "seg_zero", "vision_reasoner", "star"]


class Protocol(Record):
    """``ignore``: what happens to an ignore region; ``empty``: the IoU where U = 0; ``epsilon``: added to U."""

    name: ProtocolName
    ignore: Literal["removed", "target"]
    empty: float
    epsilon: float = 0.0


PROTOCOLS: dict[str, Protocol] = {
    one.name: one
    for one in (
        Protocol(name="lisa", ignore="removed", empty=1.0, epsilon=1e-5),
        Protocol(name="seg_zero", ignore="target", empty=0.0),
        Protocol(name="vision_reasoner", ignore="target", empty=0.0),
        Protocol(name="star", ignore="target", empty=1.0),
    )
}


def protocol_of(name: str) -> Protocol:
    """Return a protocol; raises ``UsageError`` that names those there are."""
    if name not in PROTOCOLS:
        raise UsageError(f"no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
