"""What a proposal would change, drawn: the sample as it is beside what it would become."""

from whyseg.curation.finding_picture import beside
from whyseg.curation.images import RgbArray
from whyseg.curation.proposals import proposed_sample
from whyseg.curation.report import overlay
from whyseg.schemas import Instance, Mask, Proposal, RevisionReason, Sample


def draw_proposal(pixels: RgbArray, sample: Sample, proposal: Proposal, *, side: int) -> RgbArray:
    """Return uint8 (h, w, 3), RGB, at most ``side`` pixels wide: left with the masks before, right with those after.

    ``pixels``: uint8 (H, W, 3), RGB, of the whole picture, maybe reduced; ``sample``: as the proposal's revision has
    it. Of a sample that is to be dropped the right has no mask.
    """
    dropped = proposal.reason is RevisionReason.DROP
    after = () if dropped else proposed_sample(sample, proposal).instances
    drawn = [overlay(pixels, _masks(instances), [], side=side) for instances in (sample.instances, after)]
    return beside(drawn[0], drawn[1], side=side)


def _masks(instances: tuple[Instance, ...]) -> list[Mask]:
    return [one.mask for one in instances]
