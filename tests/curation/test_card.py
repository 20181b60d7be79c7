import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from PIL import Image as PilImage

from tests.released import QUERIES, add_sample, released, with_queries
from whyseg.curation.card import card_files, card_text, license_fields, quoted
from whyseg.curation.card_counts import count_release
from whyseg.curation.images import printable
from whyseg.curation.releases import Releases
from whyseg.curation.workspace import Settings, Workspace
from whyseg.schemas import ReasoningType, Sample
from whyseg.schemas.errors import NotFound, UsageError

HOSTILE = (
    "a | b || c \\| d |",
    "`code` ``more`` ```fence",
    "<img src=x onerror=\"document.title='hit'\"><script>document.title='hit'</script>",
    "---",
    "first\n---\nsecond\n\n# heading\n\n| x | y |\n|---|---|\n",
    "[click](http://evil.example) ![pic](http://evil.example/p.png) ](http://evil.example)",
    "http://evil.example www.evil.example a@evil.example <http://evil.example>",
    "\\",
    "`",
    "&lt;b&gt; &#124; &amp;",
    "- *not* **a** _list_ ~~of~~ $x$ :smile: @someone #1",
    "‮gnirts esrever\x07\x1b[31m",
)


KEYS = ("id", "image_id", "size")  # of a sample's plain data, that come by themselves when it starts


def parsed(markdown: str) -> list[Token]:
    return MarkdownIt("commonmark", {"html": True}).enable("table").parse(markdown)


def inlines(tokens: list[Token]) -> list[Token]:
    return [child for token in tokens for child in token.children or []]


def cells(tokens: list[Token]) -> list[str]:
    """Return the text of every table cell."""
    after = [tokens[at + 1] for at, token in enumerate(tokens) if token.type in ("td_open", "th_open")]
    return ["".join(child.content for child in token.children or []) for token in after]


def metadata(text: str) -> dict[str, Any]:
    """Return a card's front matter."""
    data: dict[str, Any] = DatasetCard(text).data.to_dict()  # type: ignore[no-untyped-call]
    return data


def rows(tokens: list[Token]) -> list[int]:
    """Return the number of cells of every row of every table."""
    kinds = [token.type for token in tokens if token.type in ("tr_open", "td_open", "th_open")]
    return [len(row.split()) for row in " ".join(kinds).split("tr_open")[1:]]


@pytest.fixture
def four(tmp_path: Path) -> Workspace:
    """Samples 0–3: types in their order; depths 1, 2, 1, 2; images 1 and 3 are CC0-1.0, the others state nothing."""
    return released(tmp_path / "w")


def test_a_card_says_what_the_release_holds(four: Workspace) -> None:
    text = card_text(four, "v1")
    assert "4 samples on 4 images" in text
    assert "| function purpose | 1 | 0 | 0 | 0 | 1 |" in text
    assert "| commonsense | 0 | 1 | 0 | 0 | 1 |" in text
    assert "| samples | 0 | 4 | 0 | 0 | 0 |" in text
    assert "| model | `tiny-drafter` | 4 |" in text
    assert "| click | `fake` | 4 |" in text
    assert "* Reviewed: 4 samples by 1 reviewer (4 × accept)." in text
    assert "| not stated | 2 |" in text
    assert "| `CC0-1.0` | 2 |" in text
    assert Releases(four).get("v1").hash in text
    assert all(f"`{query}`" in text for query in QUERIES)


def test_its_front_matter_is_what_the_hub_reads(four: Workspace) -> None:
    data = metadata(card_text(four, "v1"))
    splits = [split for split, number in Releases(four).get("v1").splits.items() if number]
    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in splits]
    assert data == {
        "pretty_name": "v1",
        "annotations_creators": ["expert-generated"],
        "size_categories": ["n<1K"],
        "task_categories": ["image-segmentation", "visual-question-answering"],
        "tags": ["reasoning-segmentation", "referring-segmentation", "whyseg"],
        "configs": [{"config_name": "default", "data_files": files, "default": True}],
    }


def test_licence_and_languages_come_from_the_settings_and_from_nowhere_else(four: Workspace) -> None:
    assert "The licence of the annotations is not stated." in card_text(four, "v1")
    four.settings = Settings(license="CC-BY-4.0", languages=("en", "de"))
    text = card_text(four, "v1")
    data = metadata(text)
    assert (data["license"], data["language"]) == ("cc-by-4.0", ["en", "de"])
    assert "Annotations (questions, masks, hops): `CC-BY-4.0`." in text


@pytest.mark.parametrize(
    ("license", "fields"),
    [
        ("", {}),
        (" ", {}),
        ("MIT", {"license": "mit"}),
        ("Team terms, v2", {"license": "other", "license_name": "team-terms-v2"}),
        ("https://example.org/l", {"license": "other", "license_link": "https://example.org/l"}),
        ("§§", {"license": "other"}),
        ("x\n---\ny: z", {"license": "other", "license_name": "x-y-z"}),
        ('http://a.org/"><script>', {"license": "other", "license_name": "script", "license_link": "http://a.org/"}),
    ],
)
def test_a_licence_becomes_the_hubs_fields(license: str, fields: dict[str, str]) -> None:
    assert license_fields(license) == fields


def test_settings_that_are_no_language_are_refused(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w"):
        pass
    (tmp_path / "w" / "whyseg.toml").write_text('languages = ["English"]')
    with pytest.raises(UsageError, match=r"languages\.0"):
        Workspace.open(tmp_path / "w")


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    """The tree of Markdown is that of a card with harmless texts, and every hostile one is there to be read."""
    workspace = with_queries(tmp_path / "w", HOSTILE[:6], license=" ".join(HOSTILE))
    workspace.settings = Settings(license="x\n---\nevil: yes\n" + HOSTILE[5] + HOSTILE[2])
    calm = with_queries(tmp_path / "calm", ["a", "b", "c", "d", "e", "f"], license="cc")
    calm.settings = Settings(license="l")
    text = card_text(workspace, "v1")
    tokens, expected = parsed(DatasetCard(text).text), parsed(DatasetCard(card_text(calm, "v1")).text)
    assert [token.type for token in tokens] == [token.type for token in expected]
    assert rows(tokens) == rows(expected)
    kinds = {child.type for child in inlines(tokens)}
    assert kinds <= {"text", "code_inline", "softbreak", "image"}
    pictures = [child.attrs["src"] for child in inlines(tokens) if child.type == "image"]
    assert pictures == [f"assets/sample-{number}.jpg" for number in range(1, 7)]
    assert set(metadata(text)) == {*metadata(card_text(calm, "v1")), "license_link"}
    shown = cells(tokens)
    for query in HOSTILE[:6]:
        assert printable(" ".join(query.split())) in shown


@pytest.mark.parametrize("text", HOSTILE)
def test_a_quoted_text_fills_one_cell_and_is_read_as_it_was_written(text: str) -> None:
    tokens = parsed(f"| head | middle | tail |\n|---|---|---|\n| a | {quoted(text)} | b |\n\nafter {quoted(text)} it")
    line = printable(" ".join(text.split()))
    assert cells(tokens)[3:] == ["a", line, "b"]
    assert {child.type for child in inlines(tokens)} <= {"text", "code_inline"}
    assert tokens[-2].children
    assert "".join(child.content for child in tokens[-2].children) == f"after {line} it"


@settings(derandomize=True, max_examples=300)
@given(st.text(st.sampled_from("|`\\ <>[]()!*_#-~&;\n\tax\u202e:/"), max_size=40))
def test_any_quoted_text_fills_one_cell(text: str) -> None:
    tokens = parsed(f"| head | middle | tail |\n|---|---|---|\n| a | {quoted(text)} | b |")
    assert cells(tokens)[3:] == ["a", printable(" ".join(text.split())), "b"]
    assert {child.type for child in inlines(tokens)} <= {"text", "code_inline"}


def test_the_same_release_gives_the_same_files(four: Workspace) -> None:
    files = card_files(four, "v1")
    assert files == card_files(four, "v1")
    assert list(files) == ["README.md", *(f"assets/sample-{number}.jpg" for number in range(1, 5))]
    for name, data in files.items():
        if name.endswith(".jpg"):
            assert PilImage.open(io.BytesIO(data)).size == (80, 60)
            assert name in files["README.md"].decode()


def test_the_pictures_show_every_type_before_any_twice_and_no_image_twice(tmp_path: Path) -> None:
    workspace = released(tmp_path / "w", samples=9)
    shown = count_release(workspace, Releases(workspace).get("v1")).shown
    assert len(shown) == 6
    assert len({sample.reasoning_type for sample in shown[:4]}) == 4
    assert len({sample.image_id for sample in shown}) == 6


def test_of_many_samples_of_one_type_those_with_the_smallest_hashes_are_shown(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        samples = [add_sample(workspace, 4 * number) for number in range(9)]  # all of the first type
        release = Releases(workspace).create("v1", author="ann")
        shown = count_release(workspace, release).shown
    ranked = sorted((sample.id for sample in samples), key=lambda key: hashlib.sha256(key.encode()).hexdigest())
    assert [sample.id for sample in shown] == ranked[:6]


def test_one_picture_with_many_questions_is_shown_once(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        first = add_sample(workspace, 0)
        for number, kind in enumerate(ReasoningType):
            fields = {**first.plain(), "source_record": str(number), "reasoning_type": kind}
            other = Sample.start(first.image_id, fields.pop("size"), **{k: fields[k] for k in fields if k not in KEYS})
            workspace.store.add_sample(other, author="ann")
        release = Releases(workspace).create("v1", author="ann", states="any")
        assert release.samples == 5
        assert len(count_release(workspace, release).shown) == 1


def test_the_mask_is_drawn_on_the_picture(four: Workspace) -> None:
    release = Releases(four).get("v1")
    sample = count_release(four, release).shown[0]
    drawn = PilImage.open(io.BytesIO(card_files(four, "v1")["assets/sample-1.jpg"])).convert("RGB")
    plain = PilImage.open(io.BytesIO(four.blobs.read(sample.image_id))).convert("RGB")
    x0, y0, x1, y1 = sample.instances[0].mask.box_xyxy
    inside = ((x0 + x1) // 2, (y0 + y1) // 2)

    def distance(at: tuple[int, int]) -> int:
        pairs = zip(drawn.getpixel(at), plain.getpixel(at), strict=True)  # type: ignore[arg-type]
        return max(abs(a - b) for a, b in pairs)

    assert distance(inside) > 30
    assert distance((1, 59)) < 30  # a corner far from the disc; JPEG moves it a little


def test_drafts_without_anything_have_a_card_too(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        image = workspace.store.image(add_sample(workspace, 0, accept=False).image_id)
        nothing = Sample.start(image.id, image.size, source="images", source_record="1", no_target=True)
        workspace.store.add_sample(nothing, author="ann")
        Releases(workspace).create("raw", author="ann", states="any")
        text = card_text(workspace, "raw")
    assert "| type | depth 1 | depth 2 | depth 3 | depth 4 | not stated | all |" in text
    assert "| not stated | 0 | 0 | 0 | 0 | 1 | 1 |" in text
    assert "* Frozen: all samples, whatever their state." in text
    assert "* Reviewed: none of the frozen revisions has a review." in text


def test_licences_without_number_are_cut(tmp_path: Path) -> None:
    with Workspace.create(tmp_path / "w") as workspace:
        for number in range(23):
            add_sample(workspace, number, license=f"photographer {number:02}")
        Releases(workspace).create("v1", author="ann")
        text = card_text(workspace, "v1")
    assert text.count("| `photographer") == 20
    assert "| others | 3 |" in text


def test_no_release_no_card(four: Workspace) -> None:
    with pytest.raises(NotFound, match="no release v2"):
        card_text(four, "v2")
