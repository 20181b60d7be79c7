"""Asks a whole server, Gradio's routes included, for what it must refuse: ``python -m tests.ui.walls FOLDER``.

A process of its own, since Gradio leaves an event loop behind; prints one JSON document. The current folder is the
workspace's: a server that would serve its current folder gives the database away.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.types import Message

from tests.builders import Clock, filled_workspace
from tests.ui.support import make_clicks
from tests.ui.team import HOSTS, make_logins, sign_in
from whyseg.ui.guards import MAX_BODY
from whyseg.ui.server import build_server

WRITES = ("POST", "PUT", "PATCH", "DELETE")
UPLOAD = "/app/gradio_api/upload"


def walk(routes: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the method and path of every route, those of mounted applications too."""
    for route in iter_route_contexts(routes):
        inside = getattr(route, "routes", None) or getattr(getattr(route, "app", None), "routes", None)
        path = prefix + str(route.path)
        if inside is not None:
            yield from walk(inside, path)
        for method in getattr(route, "methods", None) or []:
            yield (
                method,
                path.replace("{path:path}", "x").replace("{path_or_url:path}", "x").replace("{", "").replace("}", ""),
            )


def ask(app: FastAPI, method: str, path: str, cookie: str, headers: dict[str, str], body: bytes = b"") -> list[Any]:
    """Send a request as it stands, which a client would tidy up; its status and the beginning of its body."""
    said: list[Any] = [0, ""]

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            said[0] = message["status"]
        said[1] += message.get("body", b"").decode("utf-8", "replace")[:200]

    given = {"host": "testserver", "cookie": cookie, **headers}
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "scheme": "http", "http_version": "1.1", "client": ("127.0.0.1", 1), "server": ("testserver", 80),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip

    async def one() -> None:
        await asyncio.wait_for(app(scope, receive, send), 20)

    try:
        asyncio.run(one())
    except TimeoutError:
        said[1] = "no answer in time"
    return said


WHERE = ("gradio_api/file=", "gradio_api/file/", "file=", "static/", "assets/", "svelte/", "gradio_api/stream/",
         "gradio_api/proxy=", "custom_component/x/client/component/")  # fmt: skip
TRICKS = ("whyseg.db", "/etc/passwd", "../whyseg.db", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd",
          "//etc/passwd", "file:///etc/passwd")  # fmt: skip


def files(client: TestClient, folder: Path) -> list[list[Any]]:
    """Ask Gradio's routes for files that are none of its business."""
    found = []
    for name in (folder / "whyseg.db", folder / "whyseg.toml", *TRICKS):
        for route in WHERE:
            answer = client.get(f"/app/{route}{name}")
            found.append([f"{route}{name}", answer.status_code, answer.text[:200]])
    return found


def team_events(client: TestClient) -> list[list[Any]]:
    """Call every event of the Team tab as the page does."""
    config = client.get("/app/config").json()
    inside: set[int] = set()

    def collect(node: dict[str, Any], within: bool) -> None:
        kinds = {one["id"]: one for one in config["components"]}
        here = within or kinds.get(node["id"], {}).get("props", {}).get("id") == "team"
        inside.update({node["id"]} if here else set())
        for child in node.get("children") or []:
            collect(child, here)

    collect(config["layout"], False)
    values = {one["id"]: one["props"].get("value") for one in config["components"]}
    found = []
    for event in config["dependencies"]:
        targets = [key for key, _ in event["targets"] if key in inside]
        if not event["backend_fn"] or not targets:
            continue
        body = {
            "fn_index": event["id"], "data": [values[key] for key in event["inputs"]], "session_hash": "walls",
            "trigger_id": targets[-1], "event_data": {"index": [0, 0], "value": "x"},
        }  # fmt: skip
        answer = client.post("/app/gradio_api/run/predict", json=body)
        found.append([event["id"], answer.status_code, answer.text])
    return found


def main(folder: Path) -> None:
    """Build the server, ask, print."""
    workspace = filled_workspace(folder)
    os.chdir(folder)
    app = build_server(workspace, make_clicks(workspace), team=make_logins(workspace, Clock()), hosts=HOSTS)
    routes = sorted(set(walk(app.routes)))
    told: dict[str, Any] = {}
    with TestClient(app, raise_server_exceptions=False) as client:
        sign_in(client, "cur")
        cookie = f"whyseg={client.cookies['whyseg']}"
        told["files"] = files(client, folder)
        told["curator"] = team_events(client)
        sign_in(client, "ann")
        told["annotator"] = team_events(client)
        told["config"] = client.get("/app/config").text
        sign_in(client, "cur")
        cookie = f"whyseg={client.cookies['whyseg']}"
        writes = [(method, path) for method, path in routes if method in WRITES]
        large = {"content-length": str(MAX_BODY + 1), "content-type": "application/json"}
        told["oversized"] = [[path, *ask(app, method, path, cookie, large)] for method, path in writes]
        foreign = {"origin": "http://evil.example", "content-type": "application/json"}
        told["foreign"] = [[path, *ask(app, method, path, cookie, foreign, b"{}")] for method, path in writes]
        told["stranger"] = [
            [path, *ask(app, method, path, "", {})]
            for _, path in routes
            for method in ("HEAD", "POST", "PUT", "DELETE")
        ]
        endless = (b" " * 2**20 for _ in range(MAX_BODY // 2**20 + 2))
        kind = {"content-type": "multipart/form-data; boundary=x"}
        told["upload"] = client.post(UPLOAD, content=endless, headers=kind).status_code
        client.cookies.clear()
        told["sockets"] = []
        for path in (
            "/",
            "/app/",
            "/app/gradio_api/queue/join",
            "/app/queue/join",
            "/api/v1/samples",
            "/static/desk.js",
        ):
            try:
                with client.websocket_connect(path):
                    told["sockets"].append([path, 101])
            except WebSocketDenialResponse as refused:
                told["sockets"].append([path, refused.status_code])
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
