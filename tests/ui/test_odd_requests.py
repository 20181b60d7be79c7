"""Whatever is sent to whichever route, the answer is never the server's own failure."""

import base64
import copy
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders import block
from tests.pictures import encoded, pixels
from tests.ui.support import complete
from whyseg.schemas import Mask

ODD: list[Any] = [
    None, True, -1, 0, 1.5, 2**31, 2**63, 2**64, 10**400, 1e308, -1e308, float("nan"), float("inf"), "", " ", "x", "-1",
    "\0", "\ud800", "é\n\x1b[2J", "${alert(1)}", "../../etc/passwd", "x" * 3000, [], [[]], [None], {}, {"": None},
    [0] * 99,
]  # fmt: skip
RAW = [
    b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 50_000, b"[" * 50_000 + b"]" * 50_000, b'{"edit": "\\ud800"}',
    b'{"parent": NaN}', b'"' + b"a" * 100_000 + b'"', b"1" * 5000,
]  # fmt: skip
PATHS = [
    "x",
    "0" * 64,
    "%00",
    "%ff",
    "%2e%2e",
    "-1",
    "99999999999999999999",
    "a" * 3000,
    "💥",
    "null",
    "a;b",
    "%ed%a0%80",
]


def bodies(shown: Any) -> dict[str, Any]:
    """A valid body for each route that takes one; the ids in the paths are the sample's."""
    sample = complete(shown["sample"], block(2, 3, 10, 8, (30, 40)))
    sample["instances"][0] |= {
        "prompt": {"points": [{"x": 5, "y": 6, "positive": True}], "box": {"x0": 1, "y0": 1, "x1": 9, "y1": 9}},
        "outline": [[[0, 0], [5, 0], [5, 5]]],
    }
    image = shown["image"]["id"]
    click = {"client": "tab", "seq": 1, "image_id": image, "points": [[5, 6, 1], [7, 8, 0]], "box": [1, 1, 9, 9]}
    vote = {"no_object": 0.5, "iou": 0.5, "votes": 0.25, "mode": "consensus", "pixels": False}
    return {
        "/api/v1/samples": {"image_id": image},
        "/api/v1/samples/{sample_id}": {"edit": "e", "parent": shown["revision"], "sample": sample},
        "/api/v1/samples/{sample_id}/drafts": {"reasoning_type": "commonsense", "depth": 1, "n": 2},
        "/api/v1/samples/{sample_id}/submit": {"parent": shown["revision"]},
        "/api/v1/samples/{sample_id}/review": {
            "id": "r",
            "revision": shown["revision"],
            "decision": "reject",
            "reasons": ["boundary"],
            "comments": [{"text": "here", "pin": [1, 2]}],
        },
        "/api/v1/samples/{sample_id}/reopen": {"reason": "a better mask"},
        "/api/v1/samples/{sample_id}/lease": {"token": "t"},
        "/api/v1/samples/next": {"after": shown["sample"]["id"]},
        "/api/v1/encode": {"image_ids": [image]},
        "/api/v1/click": {**click, "refine": {"seq": 1, "candidate": 0}},
        "/api/v1/users": {"name": "zoe", "role": "reviewer", "password": "correct horse battery"},
        "/api/v1/users/{name}": {"role": "curator", "disabled": False, "password": "correct horse battery"},
        "/api/v1/me/password": {"old": "correct horse battery", "new": "battery horse correct"},
        "/api/v1/assignments": {"sample_ids": [shown["sample"]["id"]], "user": "ann"},
        "/api/v1/overlaps": {"sample_ids": [shown["sample"]["id"]], "users": ["ann"]},
        "/api/v1/overlaps/{sample_id}/adopt": {"answer": shown["sample"]["id"], "parent": shown["revision"]},
        "/api/v1/gold": {"sample_ids": [shown["sample"]["id"]]},
        "/api/v1/gold/hand-out": {"sample_ids": [shown["sample"]["id"]], "users": ["ann"]},
        "/api/v1/findings/{finding_id}/set-aside": {"reason": "it is meant so"},
        "/api/v1/targets": {"reasoning_type": "commonsense", "depth": 1, "target": 5},
        "/api/v1/ask": {"image_id": image, "query": "what holds tea?", "k": 3, "temperature": 0.5, "settings": vote},
        "/api/v1/ask/pictures": {"name": "cup.png", "data": base64.b64encode(encoded(pixels(30, 40))).decode()},
        "/api/v1/ask/{ask_id}/vote": {"settings": vote},
        "/api/v1/ask/{ask_id}/sample": {"settings": vote},
        "/api/v1/outline": {"mask": Mask.empty((30, 40)).plain(), "tolerance": 1.0},
    }


def operations(app: FastAPI) -> list[tuple[str, str]]:
    paths = app.openapi()["paths"]
    return [(method.upper(), path) for path, item in paths.items() for method in item]


def places(value: Any, trail: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every value inside plain data, the outermost first."""
    yield trail
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*trail, key))


def changed(body: Any, trail: tuple[Any, ...], value: Any) -> Any:
    if not trail:
        return value
    copied = copy.deepcopy(body)
    target = copied
    for key in trail[:-1]:
        target = target[key]
    target[trail[-1]] = value
    return copied


def judge(answer: Any, *what: Any) -> None:
    assert answer.status_code < 500, (*what, answer.text[:500])
    if answer.status_code >= 400:
        told = answer.json()
        assert isinstance(told["error"], str), what
        assert isinstance(told["message"], str), what


def send(client: TestClient, method: str, path: str, body: bytes) -> Any:
    return client.request(method, path, content=body, headers={"content-type": "application/json"})


def test_every_route_that_takes_a_body_has_one_here(app: FastAPI, shown: Any) -> None:
    taking = {path for path, item in app.openapi()["paths"].items() for one in item.values() if "requestBody" in one}
    assert taking == set(bodies(shown))


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])  # of 29 values 4 or 5 a place, or all
def test_odd_values_anywhere_in_a_body_are_refused_or_accepted(
    app: FastAPI, client: TestClient, shown: Any, step: int
) -> None:
    valid, turn = bodies(shown), 0
    for method, path in operations(app):
        if path not in valid or method == "GET":
            continue
        for trail in places(valid[path]):
            turn += 1
            for value in ODD[turn % step :: step]:
                body = json.dumps(changed(valid[path], trail, value)).encode()
                answer = send(client, method, path.replace("{sample_id}", shown["sample"]["id"]), body)
                judge(answer, method, path, trail, value)


def test_a_body_that_is_no_json_or_too_much_of_it_is_refused(app: FastAPI, client: TestClient, shown: Any) -> None:
    for method, path in operations(app):
        if "requestBody" in app.openapi()["paths"][path][method.lower()]:
            for raw in RAW:
                answer = send(client, method, path.replace("{sample_id}", shown["sample"]["id"]), raw)
                judge(answer, method, path, raw[:12])
                assert answer.status_code >= 400, (method, path, raw[:12])


def test_odd_ids_are_not_found(app: FastAPI, client: TestClient, shown: Any) -> None:
    valid = bodies(shown)
    for method, path in operations(app):
        for odd in PATHS if "{" in path else []:
            where = re.sub(r"{\w+}", odd, path)
            body = json.dumps(valid[path]).encode() if path in valid and method != "GET" else b""
            answer = send(client, method, where, body)
            judge(answer, method, where)
            assert answer.status_code in (404, 422), (method, where)


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_odd_questions_are_refused(app: FastAPI, client: TestClient, shown: Any, step: int) -> None:
    turn = 0
    for path, item in app.openapi()["paths"].items():
        for parameter in item.get("get", {}).get("parameters", []):
            if parameter["in"] == "query":
                turn += 1
                for odd in ODD[turn % step :: step]:
                    text = str(odd).encode("utf-8", "surrogatepass")
                    where = path.replace("{image_id}", shown["image"]["id"])
                    judge(client.get(where, params={parameter["name"]: text}), path, parameter["name"], odd)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def check_any_json(app: FastAPI, client: TestClient, shown: Any, data: st.DataObject) -> None:
    valid = bodies(shown)
    path = data.draw(st.sampled_from(sorted(valid)))
    trail = data.draw(st.sampled_from(list(places(valid[path]))))
    body = json.dumps(changed(valid[path], trail, data.draw(json_values))).encode()
    method = next(m for m, p in operations(app) if p == path and m != "GET")
    judge(send(client, method, path.replace("{sample_id}", shown["sample"]["id"]), body), method, path, body)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_json_anywhere_is_answered(app: FastAPI, client: TestClient, shown: Any, data: st.DataObject) -> None:
    check_any_json(app, client, shown, data)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_much_json_anywhere_is_answered(app: FastAPI, client: TestClient, shown: Any, data: st.DataObject) -> None:
    check_any_json(app, client, shown, data)
