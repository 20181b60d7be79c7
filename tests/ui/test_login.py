"""Signing in and out, over HTTP: cookies, sessions, guessing, foreign pages."""

import asyncio
import re
import threading
from collections.abc import Iterator
from http.cookies import SimpleCookie
from urllib.parse import unquote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.types import Message

from tests.builders import Clock
from tests.ui.team import PASSWORD, sign_in, signed_in
from whyseg.curation.sessions import IDLE
from whyseg.curation.users import Users
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import TooManyLogins
from whyseg.ui.login import BY_ADDRESS, BY_NAME, FORGET, MOST, Throttle
from whyseg.ui.roles import PREFIX, ROUTES


def info(client: TestClient) -> int:
    return client.get("/api/v1/info").status_code


def cookie_of(answer: object) -> dict[str, str]:
    """Return name, value and attributes of the one cookie that an answer sets."""
    (text,) = answer.headers.get_list("set-cookie")  # type: ignore[attr-defined]
    ((name, morsel),) = SimpleCookie(text).items()
    return {"name": name, "value": morsel.value, **{key: str(value) for key, value in morsel.items() if value}}


# -- in and out --


def test_who_signs_in_gets_in_and_is_named(visitor: TestClient) -> None:
    assert info(visitor) == 401
    answer = visitor.post("/api/v1/login", json={"name": "ANN", "password": PASSWORD})
    assert (answer.status_code, answer.json()) == (200, {"user": "ann", "role": "annotator"})
    told = visitor.get("/api/v1/info").json()
    assert (told["user"], told["role"], told["team"]) == ("ann", "annotator", True)


def test_without_a_team_everybody_is_the_one_user(client: TestClient) -> None:
    told = client.get("/api/v1/info").json()
    assert (told["user"], told["role"], told["team"]) == ("local", "curator", False)
    assert client.get("/login").status_code == 404


def test_a_wrong_name_and_a_wrong_password_get_one_answer(visitor: TestClient) -> None:
    answers = [
        visitor.post("/api/v1/login", json={"name": name, "password": password})
        for name, password in (("ann", "x"), ("nobody", PASSWORD), ("", ""), ("${alert(1)}", PASSWORD))
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {
        (401, '{"error":"wrong_login","message":"name or password is wrong"}')
    }
    assert info(visitor) == 401


def test_signing_out_ends_the_session_and_not_only_the_cookie(team: FastAPI) -> None:
    with signed_in(team, "ann") as client, signed_in(team, "ann") as elsewhere:
        kept = dict(client.cookies)
        answer = client.post("/api/v1/logout")
        gone = cookie_of(answer)
        assert (gone["value"], gone["max-age"]) == ("", "0")
        assert answer.headers["clear-site-data"] == '"cache"'
        assert info(client) == 401
        client.cookies.update(kept)  # somebody had copied it
        assert info(client) == 401
        assert info(elsewhere) == 200


def test_a_session_ends_when_nothing_is_done(team: FastAPI, clock: Clock) -> None:
    with signed_in(team, "ann") as client:
        clock.advance(IDLE.total_seconds() / 2)
        assert info(client) == 200
        for _ in range(3):  # an open page renews its lease all the time
            clock.advance(IDLE.total_seconds() / 3)
            answer = client.put("/api/v1/samples/x/lease", json={"token": "x"})
        assert answer.status_code == 401


# -- the cookie --


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(visitor: TestClient) -> None:
    made = cookie_of(visitor.post("/api/v1/login", json={"name": "ann", "password": PASSWORD}))
    assert made["name"] == "whyseg"
    assert len(made["value"]) == 43  # 32 random bytes in base64
    assert {key: made[key] for key in ("httponly", "samesite", "path", "max-age")} == {
        "httponly": "True", "samesite": "lax", "path": "/", "max-age": str(7 * 24 * 3600),
    }  # fmt: skip
    assert "domain" not in made
    assert "secure" not in made


def test_under_https_the_cookie_is_secure_and_bound_to_the_host(team: FastAPI) -> None:
    with_tls = TestClient(team, base_url="https://testserver")
    made = cookie_of(with_tls.post("/api/v1/login", json={"name": "ann", "password": PASSWORD}))
    assert (made["name"], made["secure"]) == ("__Host-whyseg", "True")
    assert info(with_tls) == 200
    assert TestClient(team, cookies={"__Host-whyseg": made["value"]}).get("/api/v1/info").status_code == 401


def test_a_session_that_was_foisted_on_a_browser_is_never_signed_in(team: FastAPI) -> None:
    for foisted in ("known-to-somebody", "a" * 43, ""):
        victim = TestClient(team, cookies={"whyseg": foisted})
        answer = victim.post("/api/v1/login", json={"name": "cur", "password": PASSWORD})
        assert cookie_of(answer)["value"] != foisted
        assert TestClient(team, cookies={"whyseg": foisted}).get("/api/v1/info").status_code == 401


def test_signing_in_again_starts_another_session_and_ends_the_first(team: FastAPI) -> None:
    with signed_in(team, "ann") as client:
        first = dict(client.cookies)
        assert sign_in(client, "cur") == 200
        assert client.get("/api/v1/info").json()["user"] == "cur"
        assert dict(client.cookies) != first
        assert TestClient(team, cookies=first).get("/api/v1/info").status_code == 401


@pytest.mark.parametrize("token", ["x", "\x00", "é", "a" * 10_000, "..", "%00", "' or 1=1 --"])
def test_a_made_up_token_is_nobodys(team: FastAPI, token: str) -> None:
    headers = {b"cookie": f"whyseg={token}".encode()}
    assert TestClient(team).get("/api/v1/info", headers=headers).status_code == 401


# -- at once --


def test_a_disabled_user_and_another_role_hold_at_once(team: FastAPI, workspace: Workspace) -> None:
    users = Users(workspace.store.database)
    with signed_in(team, "ann") as client:
        users.set_role("ann", list(type(users.get("ann").role))[2], author="root")
        assert client.get("/api/v1/info").json()["role"] == "curator"
        users.set_disabled("ann", True, author="root")
        assert info(client) == 401
        assert sign_in(client, "ann") == 401
        users.set_disabled("ann", False, author="root")
        assert info(client) == 401
        assert sign_in(client, "ann") == 200


# -- foreign pages --


@pytest.mark.parametrize(
    "headers", [{"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
def test_a_foreign_page_signs_nobody_in_or_out_and_changes_nothing(team: FastAPI, headers: dict[str, str]) -> None:
    with signed_in(team, "cur") as client:
        body = {"name": "ann", "password": PASSWORD}
        for answer in (
            client.post("/api/v1/login", json=body, headers=headers),
            client.post("/api/v1/logout", headers=headers),
            client.post("/api/v1/samples", json={"image_id": "x"}, headers=headers),
            client.put("/api/v1/samples/x", json={}, headers=headers),
            client.request("DELETE", "/api/v1/samples/x/lease", json={"token": "x"}, headers=headers),
        ):
            assert (answer.status_code, answer.json()["error"]) == (403, "foreign_origin")
        assert client.get("/api/v1/info").json()["user"] == "cur"


# -- what is sent --


def test_who_is_not_signed_in_may_send_little(visitor: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * 1024

    for body in (b" " * 2**15, endless()):
        answer = visitor.post("/api/v1/login", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["error"]) == (413, "body_too_large")
    unread = visitor.put("/api/v1/samples/x", content=b" " * 2**20)
    assert unread.status_code == 401


def test_who_is_signed_in_may_send_no_more_than_anybody(team: FastAPI) -> None:
    with signed_in(team, "ann") as client:
        answer = client.put("/api/v1/samples/x", content=b" " * (33 * 2**20))
        assert (answer.status_code, answer.json()["error"]) == (413, "body_too_large")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"name": "\\ud800", "password": "x"}',
                                  b'{"name": "ann"}', b'{"name": "ann", "password": ["x"]}'])  # fmt: skip
def test_a_broken_login_is_refused_without_repeating_it(visitor: TestClient, body: bytes) -> None:
    answer = visitor.post("/api/v1/login", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    secret = {"name": "ann", "password": "s3cret" * 200}
    assert "s3cret" not in visitor.post("/api/v1/login", json=secret).text


TRICKS = [
    "..%2f..%2fwhyseg.db",
    "%2e%2e",
    "..%5c..%5cwhyseg.db",
    "%2fetc%2fpasswd",
    "x%00.png",
    "....//",
    "whyseg.toml",
]


@pytest.mark.parametrize("trick", TRICKS)
def test_no_path_leads_out_of_what_is_served(team: FastAPI, trick: str) -> None:
    with signed_in(team, "cur") as client:
        for method, path in [*ROUTES, ("GET", "/../../static/{name}"), ("GET", "/../../{name}")]:
            if "{" not in path:
                continue
            where = PREFIX + re.sub(r"\{\w+\}", trick, path)
            answer = client.request(method, where, json={})
            assert answer.status_code in (400, 404, 405, 409, 422), (method, where)
            assert b"SQLite" not in answer.content
            assert "root:" not in answer.text


@pytest.mark.parametrize("path", ["/static/login.js/", "/static//login.js", "/static/login.js%2f..%2fdesk.js",
                                  "/static/../static/desk.js", "/login/", "/LOGIN", "//login", "/healthz/../app/",
                                  "/login;/app/", "/login/../api/v1/info"])  # fmt: skip
def test_nothing_gets_by_the_gate_in_the_name_of_what_is_open(team: FastAPI, path: str) -> None:
    """Asked without a client, which would tidy the path up."""
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    scope = {"type": "http", "method": "GET", "path": unquote(path), "raw_path": path.encode(), "query_string": b"",
             "root_path": "", "scheme": "http", "headers": [(b"host", b"testserver")]}  # fmt: skip
    asyncio.run(team(scope, receive, send))
    assert statuses == [401]


# -- guessing --


def test_guessing_a_password_takes_ever_longer(visitor: TestClient, clock: Clock) -> None:
    for _ in range(BY_NAME.free):
        assert sign_in(visitor, "ann", "a guess too many") == 401
    waits = []
    for _ in range(8):
        assert sign_in(visitor, "ann", "a guess too many") == 401
        refused = visitor.post("/api/v1/login", json={"name": "Ann", "password": PASSWORD})
        assert (refused.status_code, refused.json()["error"]) == (429, "too_many_logins")  # the right one, too
        waits.append(refused.json()["seconds"])
        assert refused.headers["retry-after"] == str(waits[-1])
        clock.advance(waits[-1])
    assert waits == [3, 5, 9, 17, 33, 61, 61, 61]  # 2, 4, 8, 16, 32, then at most 60 seconds, and one for the fraction
    assert sign_in(visitor, "ann") == 200
    for _ in range(BY_NAME.free):
        assert sign_in(visitor, "ann", "a guess too many") == 401  # begins anew


def test_guessing_at_many_names_from_one_address_takes_ever_longer(visitor: TestClient, clock: Clock) -> None:
    for number in range(BY_ADDRESS.free + 1):
        assert sign_in(visitor, f"name {number}", "x") == 401
    assert sign_in(visitor, "ann") == 429
    clock.advance(FORGET)
    assert sign_in(visitor, "ann") == 200


def test_a_password_of_ones_own_buys_no_more_guesses() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(BY_ADDRESS.free):
        throttle.enter("mallory", "192.0.2.7")
        throttle.passed("mallory", "192.0.2.7")
        throttle.enter(f"name {number}", "192.0.2.7")
    throttle.enter("one more", "192.0.2.7")
    with pytest.raises(TooManyLogins):
        throttle.enter("mallory", "192.0.2.7")


def test_signing_in_often_is_no_guessing() -> None:
    throttle = Throttle(lambda: 0.0)
    for _ in range(10 * BY_ADDRESS.free):
        throttle.enter("ann", "192.0.2.7")
        throttle.passed("ann", "192.0.2.7")


def test_many_guesses_at_once_are_no_way_around() -> None:
    throttle, passed, begin = Throttle(lambda: 0.0), [], threading.Barrier(30)

    def guess() -> None:
        begin.wait()
        try:
            throttle.enter("ann", "192.0.2.7")
        except TooManyLogins:
            return
        passed.append(1)

    threads = [threading.Thread(target=guess) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(passed) == BY_NAME.free + 1


def test_what_is_remembered_of_guesses_is_bounded() -> None:
    throttle = Throttle(lambda: 0.0)
    for number in range(MOST):
        throttle.enter(f"name {number}", f"198.51.{number // 250}.{number % 250}")
    assert len(throttle._tries) == MOST


# -- the page --


@pytest.fixture
def page(visitor: TestClient) -> str:
    answer = visitor.get("/login")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    return answer.text


def test_the_login_page_is_a_constant_and_has_all_that_it_needs(page: str, visitor: TestClient) -> None:
    for name in ("login.js", "login.css", "icon.svg"):
        assert f'"static/{name}"' in page
        assert visitor.get(f"/static/{name}").status_code == 200
    assert visitor.get("/login?next=<script>alert(1)</script>").text == page


def test_a_page_leads_to_the_login_and_back(visitor: TestClient) -> None:
    answer = visitor.get("/app/?sample=x&y=é", headers={"accept": "text/html,*/*"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=app%2F%3Fsample%3Dx%26y%3D%25C3%25A9"
    assert answer.headers["cache-control"] == "no-store"
    assert visitor.get("/app/").status_code == 401  # a script's request is no page
    assert visitor.post("/app/", headers={"accept": "text/html"}).status_code == 401
