import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.datastructures import Headers

from whyseg.ui.guards import HEADERS, is_foreign

HOST = "127.0.0.1:7860"


@pytest.fixture
def browser(app: FastAPI) -> Iterator[TestClient]:
    """A client that names the host as a browser on this machine would."""
    with TestClient(app, base_url=f"http://{HOST}") as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),  # a script
        ({"origin": f"http://{HOST}"}, False),
        ({"origin": f"http://{HOST}", "sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),  # typed into the address bar
        ({"origin": "http://127.0.0.1:9999"}, True),  # another port of this machine
        ({"origin": "http://localhost:7860"}, True),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, True),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, True),  # a form
    ],
)
def test_what_another_origin_writes_is_foreign(headers: dict[str, str], foreign: bool) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert is_foreign(method, Headers({"host": HOST, **headers})) == foreign


@pytest.mark.parametrize(
    ("mode", "target", "foreign"),
    [
        ("navigate", "document", False),  # a link on another page
        ("navigate", "iframe", True),
        ("no-cors", "image", True),
        ("no-cors", "script", True),
        ("cors", "empty", True),
    ],
)
def test_another_origin_may_link_here_but_not_embed(mode: str, target: str, foreign: bool) -> None:
    headers = {"host": HOST, "sec-fetch-site": "cross-site", "sec-fetch-mode": mode, "sec-fetch-dest": target}
    assert is_foreign("GET", Headers(headers)) == foreign


def test_a_foreign_page_changes_nothing(browser: TestClient, shown: Any) -> None:
    body = {"image_id": shown["image"]["id"]}
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "same-site"}):
        answer = browser.post("/api/v1/samples", json=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (403, "foreign_origin")
    assert browser.get("/api/v1/samples").json()["total"] == 1
    assert browser.post("/api/v1/samples", json=body, headers={"origin": f"http://{HOST}"}).status_code == 201


def test_json_in_disguise_is_refused(browser: TestClient, shown: Any) -> None:
    body = json.dumps({"image_id": shown["image"]["id"]})
    answer = browser.post("/api/v1/samples", content=body, headers={"content-type": "text/plain"})
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_record")


def test_no_origin_gets_leave_to_read(browser: TestClient) -> None:
    ask = {"origin": "http://localhost:9", "access-control-request-method": "GET"}
    for answer in (
        browser.get("/api/v1/info", headers={"origin": "http://localhost:9"}),
        browser.options("/api/v1/info", headers=ask),
    ):
        assert "access-control-allow-origin" not in answer.headers
        assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "::1"])
def test_a_name_that_is_not_ours_is_refused(browser: TestClient, host: str) -> None:
    assert browser.get("/api/v1/info", headers={"host": host}).status_code == 400


@pytest.mark.parametrize("path", ["/api/v1/info", "/healthz", "/nothing", "/api/v1/images/x"])
def test_every_answer_carries_the_security_headers(browser: TestClient, path: str) -> None:
    for headers in ({}, {"origin": "null"}, {"host": "evil.example"}):
        answer = browser.get(path, headers=headers)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS


def test_a_body_that_says_it_is_too_large_is_refused(browser: TestClient) -> None:
    answer = browser.post("/api/v1/samples", content=b" " * (33 * 2**20))
    assert (answer.status_code, answer.json()["error"]) == (413, "body_too_large")


def test_a_body_that_just_goes_on_is_cut(browser: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 2**20

    answer = browser.post("/api/v1/samples", content=endless(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (413, "body_too_large")
