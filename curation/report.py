"""A small report as one HTML page: pictures inside, every text escaped, nothing loaded and nothing run."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import cv2
import numpy as np

from whyseg.curation.images import RgbArray
from whyseg.schemas import Mask, Prompt

TINT = (255, 64, 129)
POSITIVE, NEGATIVE = (0, 200, 83), (213, 0, 0)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
article {{ margin: 2rem 0; }}
article img {{ max-width: 100%; }}
small {{ color: #555; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{lead}</p>
{table}
{sections}
</body>
</html>
"""


@dataclass(frozen=True, eq=False)
class Section:
    """A picture, uint8 (H, W, 3) RGB, with a heading, some lines of text and a last, small one."""

    heading: str
    lines: Sequence[str]
    small: str
    picture: RgbArray


def html_page(title: str, lead: str, table: Sequence[Sequence[str]], sections: Sequence[Section]) -> str:
    """Return the page. ``table``: rows of texts, the first being the head."""
    head, *rows = table
    cells = [f"<tr>{_cells('th', head)}</tr>", *(f"<tr>{_cells('td', row)}</tr>" for row in rows)]
    return _PAGE.format(
        title=escape(title),
        lead=escape(lead),
        table="<table>\n{}\n</table>".format("\n".join(cells)),
        sections="\n".join(_section(section) for section in sections),
    )


def overlay(pixels: RgbArray, masks: Sequence[Mask], prompts: Sequence[Prompt], *, side: int = 480) -> RgbArray:
    """Return a copy, at most ``side`` pixels long, with the masks tinted and outlined and the prompts drawn.

    ``pixels``: uint8 (H, W, 3), RGB; masks are of its size, or of that of the picture which it was reduced from. Points
    are discs: green where they are positive, else red.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    for mask in masks:
        inside = cv2.resize(mask.decode().astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        small[inside > 0] = small[inside > 0] // 2 + np.array(TINT, np.uint8) // 2
        outlines, _ = cv2.findContours(inside, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(small, outlines, -1, (255, 255, 255), 1)
    for point in (point for prompt in prompts for point in prompt.points):
        centre = round((point.x + 0.5) * scale), round((point.y + 0.5) * scale)
        cv2.circle(small, centre, 6, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(small, centre, 4, POSITIVE if point.positive else NEGATIVE, -1, cv2.LINE_AA)
    return small


def _cells(tag: str, texts: Sequence[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)


def _section(section: Section) -> str:
    _, png = cv2.imencode(".png", cv2.cvtColor(section.picture, cv2.COLOR_RGB2BGR))
    data = base64.b64encode(png.tobytes()).decode()
    lines = "\n".join(f"<p>{escape(line)}</p>" for line in section.lines)
    return (
        f"<article>\n<h2>{escape(section.heading)}</h2>\n"
        f'<img alt="{escape(section.heading)}" src="data:image/png;base64,{data}">\n'
        f"{lines}\n<p><small>{escape(section.small)}</small></p>\n</article>"
    )
