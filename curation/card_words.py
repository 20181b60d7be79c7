"""The parts of a card that are the same for every release."""

SPLITTING = (
    "Similar images stand on one side, an image stands in one split only, and it never leaves the split that it had "
    "in an earlier release."
)

LIMITS = """\
* Types of reasoning are the four of ReasonSeg-X. Depth is the number of steps that were written from question to
  target; no other dataset measures it this way.
* Questions and steps are free text, as people or models wrote them; whyseg checks neither for bias nor for what they
  say of the people in the pictures.
* The pictures are the original files wherever all readers agree on them, with whatever metadata they carry, such as the
  place where a photograph was taken.
* Masks are exact to the pixel as they were drawn or clicked. How exact an edge is depends on who drew it."""

COLUMNS = """\
| column | holds |
|---|---|
| `sample_id` | derived from source, image and source record: the same on every machine |
| `image` | the picture; every coordinate is of its upright pixels |
| `query`, `alternates`, `is_sentence` | the question, its paraphrases, and whether it is a sentence or a phrase |
| `mask` | all targets together, a PNG with 0 and 255 |
| `instances` | for each target its pixels, `rle`, its box, `bbox_2d`, its deepest pixel, `point_2d`, and its `label` |
| `ignore_rle` | pixels that count neither as target nor as background, or null |
| `no_target` | nothing in the picture answers the question |
| `reasoning_type`, `depth`, `hops` | the kind of reasoning, the number of steps, and the steps |
| `image_id`, `img_height`, `img_width` | SHA-256 of the original file, size of the upright picture |
| `source`, `license` | where the sample comes from, and the picture's licence |
| `provenance` | how mask and question were made, by which models, and how they were reviewed |

Run lengths are COCO's, compressed; boxes are half-open in pixels, x1 y1 x2 y2; points are x y."""

LOADING = """\
```python
from datasets import load_dataset

data = load_dataset("OWNER/NAME", revision="{name}")  # or the path of this folder
sample = next(iter(data.values()))[0]
sample["image"], sample["query"], sample["mask"]
```

A single target's pixels:

```python
from pycocotools import mask

pixels = mask.decode(sample["instances"][0]["rle"])  # uint8 (height, width)
```"""

VERIFYING = """\
It is the SHA-256 of the sorted (sample id, hash of the sample's content, split), written as canonical JSON. Where the
workspace is at hand, `whyseg release verify` derives all of it again; elsewhere, `whyseg import hf` and `whyseg release
create` give the same samples, and the same hash where they come to stand in the same splits."""
