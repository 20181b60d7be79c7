"""Click to mask: the protocol, what chooses a backend, and where weights come from; backends are imported late."""

from whyseg.curation.segmenters.base import Embedding as Embedding
from whyseg.curation.segmenters.base import Proposal as Proposal
from whyseg.curation.segmenters.base import Segmenter as Segmenter
from whyseg.curation.segmenters.choose import NAMES as NAMES
from whyseg.curation.segmenters.choose import choose as choose
from whyseg.curation.segmenters.crops import Crop as Crop
from whyseg.curation.segmenters.crops import mask_from_crop as mask_from_crop

__all__ = ["NAMES", "Crop", "Embedding", "Proposal", "Segmenter", "choose", "mask_from_crop"]
