import asyncio
import functools
import http.server
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.pictures import encoded, pixels
from tests.provision import chromium
from tests.ui.process import ServerProcess
from tests.ui.support import add_picture
from whyseg.curation.workspace import Workspace
from whyseg.schemas.errors import UsageError
from whyseg.ui.guards import HEADERS, LOOPBACK
from whyseg.ui.serving import allowed_hosts, listen, require_known


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "team"
    with Workspace.create(path) as workspace:
        add_picture(workspace, encoded(pixels(30, 40)), "cup.png")
    return path


@pytest.fixture(scope="module")
def server(team: Path) -> Iterator[ServerProcess]:
    with ServerProcess(team) as running:
        yield running


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.9.10"])
def test_an_address_of_this_machine_alone_is_fine(host: str) -> None:
    assert {*allowed_hosts(host, (), team=False)} == {*LOOPBACK, f"[{host}]" if ":" in host else host}


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.7", "10.0.0.1", "example.org", "", "localhost.evil.example"]
)
def test_an_address_that_others_reach_needs_a_team(host: str) -> None:
    with pytest.raises(UsageError, match="--team"):
        allowed_hosts(host, ("team.example",), team=False)
    assert "team.example" in allowed_hosts(host, ("team.example",), team=True)


def test_the_names_of_a_server_are_its_address_and_those_it_is_given() -> None:
    assert allowed_hosts("192.0.2.7", ("team.example", "2001:db8::1"), team=True) == (
        *LOOPBACK, "192.0.2.7", "team.example", "[2001:db8::1]",
    )  # fmt: skip
    for anything in ("0.0.0.0", "::", ""):
        with pytest.raises(UsageError, match="--name"):
            allowed_hosts(anything, (), team=True)


@pytest.mark.parametrize("name", ["*", "*.example", "a b", "http://a", "a:80", "a/", "", "-", "a,b"])
def test_what_is_no_name_of_a_host_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="--name takes"):
        allowed_hosts("127.0.0.1", (name,), team=True)


def test_a_port_that_is_taken_is_named() -> None:
    with listen("127.0.0.1", 0) as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port}.*--port 0"):
            listen("127.0.0.1", port)


def test_a_connection_sends_at_once_and_waits_for_no_acknowledgement() -> None:
    async def accepted(listener: socket.socket) -> int:
        seen = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(lambda _, writer: seen.set_result(writer), sock=listener)
        _, outgoing = await asyncio.open_connection(*listener.getsockname())
        incoming = await seen
        option: int = incoming.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for writer in (incoming, outgoing):
            writer.close()
            await writer.wait_closed()
        server.close()
        return option

    assert asyncio.run(accepted(listen("127.0.0.1", 0)))


@pytest.mark.parametrize(("segmenter", "model"), [("magic", None), ("auto", "no-such-model")])
def test_an_unknown_model_is_refused_before_anything_starts(segmenter: str, model: str | None) -> None:
    with pytest.raises(UsageError):
        require_known(segmenter, model)


def test_the_server_answers_at_the_address_that_it_prints(server: ServerProcess, team: Path) -> None:
    assert str(team) in server.said
    with server.client() as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/").headers["location"] == "/app/"
        assert "<gradio-app" in client.get("/app/").text
        info = client.get("/api/v1/info").json()
        assert (info["workspace"], info["segmenter"]["name"]) == (str(team), "grabcut")


def test_modules_are_javascript_and_never_stale(server: ServerProcess) -> None:
    with server.client() as client:
        answer = client.get("/static/rle.js")
        assert answer.headers["content-type"].startswith("text/javascript")
        assert answer.headers["cache-control"] == "no-cache"
        again = client.get("/static/rle.js", headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
        for path in ("/static/", "/static/../server.py", "/static/%2e%2e/server.py", "/static/nothing.js"):
            assert client.get(path).status_code == 404


def test_gradio_too_is_closed_to_foreign_pages(server: ServerProcess) -> None:
    foreign = {"origin": "http://localhost:9", "sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}
    with server.client() as client:
        assert client.get("/app/config").status_code == 200
        for method, path in (
            ("GET", "/app/config"),
            ("POST", "/app/gradio_api/queue/join"),
            ("POST", "/app/gradio_api/upload"),
        ):
            answer = client.request(method, path, headers=foreign, json={} if method == "POST" else None)
            assert answer.status_code == 403
            assert not [name for name in answer.headers if name.startswith("access-control-")]
        answer = client.get("/app/config", headers={"origin": "http://localhost:9"})
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert client.get("/app/", headers={"host": "evil.example"}).status_code == 400


def test_gradio_hands_out_no_file_of_the_workspace(server: ServerProcess, team: Path) -> None:
    (image,) = (path for path in (team / "images").rglob("*") if path.is_file())
    with server.client() as client:
        for path in (image, team / "whyseg.db", team / "whyseg.toml"):
            for route in ("file=", "file/"):
                assert client.get(f"/app/gradio_api/{route}{path}").status_code in (403, 404)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_good_order(team: Path, number: signal.Signals) -> None:
    with (
        ServerProcess(team) as running,
        running.client() as client,
        client.stream("GET", "/app/gradio_api/heartbeat/x"),
    ):
        assert running.end(number) == 0
    with Workspace.open(team) as workspace:
        assert workspace.store.stats().samples == 1


def test_other_machines_cannot_connect(server: ServerProcess) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; tells which address of ours would be used
        outside = probe.getsockname()[0]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{outside}:{port}/healthz", timeout=2)


PRY = """async ([root, image]) => {
    const go = (path, method, body, mode) => fetch(root + path, {
        method, mode, credentials: "include", body, headers: body ? {"Content-Type": "application/json"} : {},
    }).then(reply => reply.status, () => "blocked");
    const picture = new Image();
    const shown = new Promise(done => {
        picture.onload = () => done("shown");
        picture.onerror = () => done("blocked");
    });
    picture.src = `${root}/api/v1/images/${image}`;
    return [
        await go("/api/v1/samples", "GET"), await go("/app/config", "GET"), await shown,
        await go("/api/v1/samples", "POST", "{}"), await go("/app/gradio_api/queue/join", "POST", "{}"),
    ];
}"""


@pytest.mark.slow
@pytest.mark.browser
def test_a_foreign_page_in_a_browser_gets_nothing_and_our_own_needs_nobody_else(
    server: ServerProcess, tmp_path: Path
) -> None:
    from playwright.sync_api import sync_playwright

    handler = functools.partial(QuietHandler, directory=tmp_path)
    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    with server.client() as client:
        image = client.get("/api/v1/samples").json()["samples"][0]["image_id"]
    complaints: list[str] = []
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_page()
        for host in ("127.0.0.1", "localhost"):  # another port of the same site, and another site
            page.goto(f"http://{host}:{site.server_port}/")
            assert page.evaluate(PRY, [server.url, image]) == ["blocked"] * 5
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(server.url)
        page.wait_for_selector(".ws-stage canvas")
        page.get_by_role("tab", name="Browse").click()
        page.get_by_text("cup.png").last.wait_for()
        browser.close()
    site.shutdown()
    site.server_close()
    assert complaints == []
    assert [url for url in asked if not url.startswith((server.url, "data:", "blob:"))] == []


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """A web site that says nothing on standard error."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""
