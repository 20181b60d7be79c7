"""The drafter against a real server: what goes over the wire, and every way in which an answer can fail."""

import base64
import io
import logging
import traceback
from email.utils import format_datetime

import numpy as np
import pytest
from PIL import Image as PilImage
from starlette.responses import JSONResponse, RedirectResponse, Response

from tests.curation.drafting.scenes import scene, thing
from tests.curation.drafting.server import Cut, completion, draft_json, dripping, error, serving
from whyseg.curation.drafting.endpoint import Endpoint
from whyseg.curation.drafting.openai import OpenAIDrafter
from whyseg.curation.times import now
from whyseg.schemas import Drafted, ReasoningType
from whyseg.schemas.errors import DrafterUnavailable, EndpointDenied, UsageError

KEY = "sk-very-secret-0123456789"
ESCAPED = KEY.replace("-", "\\u002d")  # as JSON may write it
STREET = scene(thing("umbrella", 20, 10, 60, 40, target=True), thing("car", 100, 50, 190, 90))
GREY = np.full((100, 200, 3), 128, np.uint8)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


class Naps:
    """A sleep that takes no time and remembers for how long it was asked."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)


@pytest.fixture
def naps() -> Naps:
    return Naps()


def draft(url: str, naps: Naps, *, n: int = 1, seconds: float = 20.0, tries: int = 3) -> Drafted:
    with Endpoint(url, "vlm", prices=(2.0, 8.0), seconds=seconds, tries=tries, sleep=naps) as endpoint:
        return OpenAIDrafter(endpoint).draft(GREY, STREET, reasoning_type=ReasoningType.FUNCTION_PURPOSE, depth=1, n=n)


def problem(done: Drafted) -> tuple[str, str]:
    assert done.problem is not None
    assert done.drafts == ()
    return done.problem.kind, done.problem.reason


def test_a_draft_carries_its_model_its_prompt_hash_and_its_price(naps: Naps) -> None:
    """1,000 tokens at 2 and 50 at 8 for a million: 0.002 + 0.0004."""
    with serving(completion(draft_json())) as server:
        done = draft(server.url, naps)
    (found,) = done.drafts
    assert (found.text, found.hops, found.label) == ("What keeps the rain off?", ("Step 0.",), "umbrella")
    assert (found.drafter, found.model, found.tokens) == ("openai", "vlm", 1050)
    assert found.prompt_hash.startswith("sha256:")
    assert done.usage.cost == pytest.approx(0.0024)
    assert server.keys == [f"Bearer {KEY}"]
    assert naps.asked == []


def test_the_model_sees_the_outlined_picture_a_crop_the_type_the_depth_and_a_schema(naps: Naps) -> None:
    with serving(completion(draft_json())) as server:
        draft(server.url, naps, n=2)
    (body,) = server.bodies
    text, *shown = body["messages"][1]["content"]
    assert "umbrella (top left)" in text["text"]
    assert "car (centre right)" in text["text"] or "car (bottom right)" in text["text"]
    assert "Function / purpose" in text["text"]
    assert "exactly 1 steps" in text["text"]
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["drafts"]
    picture, crop = (
        PilImage.open(io.BytesIO(base64.b64decode(part["image_url"]["url"].split(",")[1]))) for part in shown
    )
    assert (picture.format, picture.size, max(crop.size)) == ("JPEG", (200, 100), 512)
    edge = np.asarray(picture)[10:40, 19:22].astype(int)
    assert (edge[..., 0] - edge[..., 1]).max() > 100  # magenta on grey
    assert abs(np.asarray(crop).astype(int) - 128).max() < 8  # the crop is not drawn on


def test_a_large_picture_is_sent_with_at_most_1024_pixels_a_side(naps: Naps) -> None:
    large = scene(thing("umbrella", 20, 10, 60, 40, target=True, size=(1500, 3000))).model_copy(
        update={"size": (1500, 3000)}
    )
    with serving(completion(draft_json())) as server, Endpoint(server.url, "vlm", sleep=naps) as endpoint:
        OpenAIDrafter(endpoint).draft(
            np.zeros((1500, 3000, 3), np.uint8), large, reasoning_type=ReasoningType.COMMONSENSE, depth=1, n=1
        )
    url = server.bodies[0]["messages"][1]["content"][1]["image_url"]["url"]
    assert PilImage.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).size == (1024, 512)


@pytest.mark.parametrize(
    "content",
    [
        f"Here you are:\n```json\n{draft_json()}\n```\nAnything else?",
        f"<think>The umbrella {{keeps}} the rain off.</think>{draft_json()}",
        '{"drafts": [{"query": "What keeps the rain off?", "hops": ["Step 0."], "answer": "umbrella",},],}',
        '[{"question": "What keeps the rain off?", "steps": ["Step 0."], "label": "umbrella"}]',
        draft_json()[:-2] + ', {"query": "And what el',  # cut off within the second draft
    ],
)
def test_what_has_one_reading_only_is_repaired(naps: Naps, content: str) -> None:
    with serving(completion(content, ending="length")) as server:
        done = draft(server.url, naps, n=3)
    assert [(found.text, found.hops) for found in done.drafts] == [("What keeps the rain off?", ("Step 0.",))]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("I see a street in the rain.", "no JSON that could be read"),
        ('{"drafts": [{"query": "What keeps', "no JSON that could be read; the answer was cut off"),
        ('{"drafts": []}', "no drafts in it"),
        ('{"drafts": [{"query": "What?", "hops": "one"}]}', "a draft has no list of hops"),
        ('{"drafts": ["What keeps the rain off?"]}', "a draft is an object, got str"),
        ('{"drafts": [{"query": "What?", "hops": []}]}', "a draft has 0 hops, expected 1 to 8"),
        (f"```json\n{draft_json()}\n```\nor\n```json\n{draft_json('Which?')}\n```", "2 blocks of JSON, expected one"),
        ("[" * 100_000, "no JSON that could be read"),
    ],
)
def test_a_malformed_or_truncated_answer_is_a_failure_that_keeps_the_text(
    naps: Naps, content: str, reason: str
) -> None:
    ending = "length" if "cut off" in reason else "stop"
    with serving(completion(content, ending=ending)) as server:
        done = draft(server.url, naps)
    assert problem(done) == ("parse_failure", reason)
    assert done.problem
    assert done.problem.text == content[:4000]
    assert done.usage.completion_tokens == 50  # it was paid for
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    "reply",
    [
        completion(None, refusal="I cannot help with that."),
        completion("", ending="content_filter"),
        error(400, "content_policy_violation"),
    ],
)
def test_a_refusal_is_a_value_and_is_not_tried_again(naps: Naps, reply: Response) -> None:
    with serving(reply) as server:
        done = draft(server.url, naps)
    assert problem(done)[0] == "refused"
    assert len(server.bodies) == 1


def test_a_rate_limit_is_waited_out_for_as_long_as_the_server_asks(naps: Naps) -> None:
    with serving(error(429, **{"retry-after": "7"}), completion(draft_json())) as server:
        done = draft(server.url, naps)
    assert len(done.drafts) == 1
    assert naps.asked == [7.0]


def test_a_date_in_retry_after_is_read_and_no_wait_is_over_a_minute(naps: Naps) -> None:
    soon = format_datetime(now(), usegmt=True)
    replies = error(503, **{"retry-after": soon}), error(429, **{"retry-after": "86400"}), completion(draft_json())
    with serving(*replies) as server:
        done = draft(server.url, naps)
    assert len(done.drafts) == 1
    assert naps.asked == [0.0, 60.0]


def test_without_a_word_on_it_the_waits_double(naps: Naps) -> None:
    """Jitter takes up to half: 0.5–1 and 1–2 seconds."""
    with serving(error(500), error(502), completion(draft_json())) as server:
        assert len(draft(server.url, naps).drafts) == 1
    first, second = naps.asked
    assert 0.5 <= first <= 1.0 <= second <= 2.0


def test_a_server_that_stays_down_is_given_up_after_the_tries(naps: Naps) -> None:
    with serving(error(503)) as server:
        done = draft(server.url, naps)
    assert problem(done) == ("unanswered", "the server answered 503, in 3 tries")
    assert len(server.bodies) == 3


def test_a_server_that_does_not_answer_in_time_is_given_up(naps: Naps) -> None:
    with serving(lambda _: dripping(b" " * 1000, 0.05)) as server:
        done = draft(server.url, naps, seconds=0.3, tries=2)
    assert problem(done) == ("unanswered", "the reply took over 0.3 seconds, in 2 tries")
    with serving(lambda _: dripping(b"  ", 3.0)) as server:
        done = draft(server.url, naps, seconds=0.3, tries=2)
    assert problem(done) == ("unanswered", "the server did not answer in time, in 2 tries")


def test_a_reply_whose_connection_breaks_is_asked_for_again(naps: Naps) -> None:
    with serving(Cut(), completion(draft_json())) as server:
        assert len(draft(server.url, naps).drafts) == 1
    assert len(server.bodies) == 2


def test_nobody_there_is_an_outcome(naps: Naps) -> None:
    assert problem(draft("http://127.0.0.1:9/v1", naps)) == ("unanswered", "no connection (ConnectError), in 3 tries")


@pytest.mark.parametrize("body", [b"<html>busy</html>", b'{"choices": [{"mess', b"[]", b'{"choices": []}', b"\xff\xfe"])
def test_a_reply_that_is_no_completion_is_tried_again_and_then_a_failure_with_its_text(naps: Naps, body: bytes) -> None:
    with serving(Response(body, media_type="application/json")) as server:
        done = draft(server.url, naps)
    assert problem(done)[0] == "parse_failure"
    assert done.problem
    assert done.problem.text
    assert len(server.bodies) == 3


def test_an_endless_reply_is_not_read_to_its_end(naps: Naps) -> None:
    with serving(Response(b" " * 5_000_000)) as server:
        done = draft(server.url, naps, tries=1)
    assert problem(done) == ("unanswered", "the reply is over 4194304 bytes, in 1 tries")


def test_a_server_that_knows_no_schema_is_asked_without_one(naps: Naps) -> None:
    def older(body: dict[str, object]) -> Response:
        return error(400, "unknown field response_format") if "response_format" in body else completion(draft_json())

    with serving(older) as server:
        assert len(draft(server.url, naps).drafts) == 1
    assert ["response_format" in body for body in server.bodies] == [True, False]
    assert naps.asked == [0.0]


@pytest.mark.parametrize(
    "reply",
    [error(401), error(403), error(404, "no such model"), error(429, "insufficient_quota"), RedirectResponse("/v2")],
)
def test_what_no_further_request_would_mend_stops_the_work(naps: Naps, reply: Response) -> None:
    with serving(reply) as server, pytest.raises(EndpointDenied, match="model vlm"):
        draft(server.url, naps)
    assert len(server.bodies) == 1


def test_the_key_is_nowhere_but_in_the_header(naps: Naps, caplog: pytest.LogCaptureFixture) -> None:
    """A server that repeats the key in its reply, in an error, and in what it says instead of JSON."""
    caplog.set_level(logging.DEBUG)
    echoes = [
        completion(f"your key is {KEY}"),
        completion(None, refusal=f"not with {KEY}"),
        JSONResponse({"error": f"bad key {KEY}"}, 400),
        Response(f"<html>{KEY}</html>"),
        Response(f'{{"choices": [{{"message": {{"content": "{ESCAPED}"}}}}]}}'),
        Response(f'{{"choices": [], "key": "{ESCAPED}"}}'),
    ]
    for reply in echoes:
        with serving(reply) as server:
            done = draft(server.url, naps)
        assert server.keys[0] == f"Bearer {KEY}"
        assert done.problem
        assert KEY not in done.model_dump_json()
        assert KEY not in repr(done)
    with serving(error(401, f"wrong key {KEY}")) as server, pytest.raises(EndpointDenied) as denied:
        draft(server.url, naps)
    assert KEY not in "".join(traceback.format_exception(denied.value))
    with Endpoint(server.url, "vlm") as endpoint:
        assert KEY not in repr(vars(endpoint)) + repr(vars(OpenAIDrafter(endpoint))) + repr(vars(endpoint._client))
    assert KEY not in caplog.text


@pytest.mark.parametrize("key", ["sk-very\nsecret", "sk-very–secret"])
def test_a_key_that_can_be_none_is_refused_before_the_client_shows_it(
    naps: Naps, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(DrafterUnavailable, match=r"^OPENAI_API_KEY holds characters that no key has$"):
        draft("http://127.0.0.1:9/v1", naps)


def test_without_a_key_none_is_sent(naps: Naps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with serving(completion(draft_json())) as server:
        assert len(draft(server.url, naps).drafts) == 1
    assert server.keys == [""]


@pytest.mark.parametrize(
    "endpoint",
    [f"https://me:{KEY}@host/v1", f"https://host/v1?key={KEY}", "host/v1", "ftp://host", "http://"],
)
def test_an_address_that_carries_a_key_or_is_none_is_refused_without_repeating_the_key(endpoint: str) -> None:
    with pytest.raises(UsageError) as refused:
        Endpoint(endpoint, "vlm")
    assert KEY not in str(refused.value)


def test_more_drafts_than_asked_for_are_dropped(naps: Naps) -> None:
    one = draft_json()[len('{"drafts": [') : -2]
    with serving(completion('{"drafts": [' + ", ".join([one] * 5) + "]}")) as server:
        assert len(draft(server.url, naps, n=2).drafts) == 2
