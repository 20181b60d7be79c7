import base64
import re

import numpy as np

from tests.pictures import pixels
from whyseg.curation.images import read_upright
from whyseg.curation.report import NEGATIVE, POSITIVE, TINT, Section, html_page, overlay
from whyseg.schemas import Mask, Point, Prompt

HOSTILE = '<script>alert(1)</script> & "quotes" \' ${x} {y}'


def test_every_text_is_escaped_and_nothing_is_loaded_or_run() -> None:
    page = html_page(HOSTILE, HOSTILE, [[HOSTILE], [HOSTILE]], [Section(HOSTILE, [HOSTILE], HOSTILE, pixels())])
    assert "<script" not in page
    # the title twice, the lead, two cells, the heading twice, a line and the small line
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;quotes&quot; &#x27; ${x} {y}") == 9
    assert not re.search(r"https?://|<link|<iframe| on\w+=", page)
    assert "default-src 'none'" in page


def test_the_picture_lies_in_the_page_as_a_png() -> None:
    page = html_page("t", "l", [["a"]], [Section("h", [], "", pixels())])
    found = re.search(r'src="data:image/png;base64,([^"]+)"', page)
    assert found
    assert np.array_equal(read_upright(base64.b64decode(found[1]), "p").pixels, pixels())


def test_the_overlay_tints_the_mask_and_draws_the_points() -> None:
    grey = np.full((60, 80, 3), 100, np.uint8)
    mask = np.zeros((60, 80), bool)
    mask[10:50, 10:70] = True
    prompt = Prompt(points=(Point(x=30, y=30), Point(x=75, y=5, positive=False)))
    drawn = overlay(grey, [Mask.encode(mask)], [prompt])
    assert drawn[20, 50].tolist() == [50 + TINT[0] // 2, 50 + TINT[1] // 2, 50 + TINT[2] // 2]
    assert drawn[10, 50].tolist() == [255, 255, 255]  # the outline
    assert drawn[55, 40].tolist() == [100, 100, 100]
    assert (drawn[30, 30].tolist(), drawn[5, 75].tolist()) == (list(POSITIVE), list(NEGATIVE))
    assert (grey == 100).all()


def test_a_large_picture_is_shown_smaller() -> None:
    assert overlay(np.zeros((300, 1200, 3), np.uint8), [Mask.empty((300, 1200))], [], side=400).shape == (100, 400, 3)
