"""A small Hub: the routes that the real client takes to push a dataset, on an address of its own, contents in memory.

It keeps commits and tags by content as git does, refuses a commit on another parent with 412, takes every large file by
its hash, and can be told to fail, to be slow, or to drop a connection.
"""

import asyncio
import base64
import hashlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

TOKEN = "hf_fakeTokenOfTheTests0123456789"
LARGE = (".parquet", ".jpg")  # files that go by LFS
# In the place of a status: nothing happens to the request; the connection ends within the answer; the work is done, and
# then the connection ends; no answer until `let_go`.
PASS, DROP, LOSE, HOLD = 0, -1, -2, -3


@dataclass
class Repo:
    """A dataset's repository: files of every commit by path, branches and tags by name."""

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    main: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], message: str) -> str:
        """Add a commit to main and return its id."""
        self.main = hashlib.sha1(json.dumps([self.main, message, sorted(map(str, files.items()))]).encode()).hexdigest()
        self.commits[self.main] = files
        self.messages.append(message)
        return self.main

    def at(self, revision: str) -> dict[str, bytes]:
        """Return the files at main, a tag or a commit; raises ``KeyError``."""
        return self.commits[self.main if revision == "main" else self.tags.get(revision, revision)]


@dataclass
class Fault:
    """What happens to the next requests of a kind instead of their work."""

    method: str
    part: str  # of the path
    status: int
    times: int


class FakeHub:
    """The Hub; `url` is its endpoint while `running`."""

    def __init__(self) -> None:
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self.read_only = False
        self.keeps_out: str | None = None  # the beginning of paths that a .gitignore names
        self.says = "told to fail"  # with every fault that is a status
        self.before_commit: Callable[[Repo], object] | None = None
        self._held = threading.Event()

    def fail(self, method: str, part: str, status: int, times: int = 10**6) -> None:
        """Answer the next requests whose path has that part with a status, or with `PASS`, `DROP`, `LOSE` or `HOLD`."""
        self.faults.append(Fault(method, part, status, times))

    def let_go(self) -> None:
        """Answer what is held, and hold nothing more."""
        self.faults.clear()
        self._held.set()

    def count(self, method: str, part: str = "") -> int:
        """Return how many requests of a kind came."""
        return sum(method == a and part in b for a, b in self.requests)

    def checkout(self, repo: str, revision: str, folder: Path) -> None:
        """Write the files of a revision into a folder."""
        for path, data in self.repos[repo].at(revision).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)

    @contextmanager
    def running(self) -> Iterator["FakeHub"]:
        """Serve from a thread."""
        # Of this protocol by name, or asyncio leaves the delay of small packets on.
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
            listener.bind(("127.0.0.1", 0))
            config = uvicorn.Config(self, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
            thread.start()
            while not server.started:
                time.sleep(0.01)
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            try:
                yield self
            finally:
                self.let_go()
                server.should_exit = True
                thread.join(10)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request: faults first, then who asks, then the route."""
        request = Request(scope, receive)
        self.requests.append((request.method, request.url.path))
        fault = self._next_fault(request)
        if fault == HOLD:
            while not self._held.is_set():
                await asyncio.sleep(0.02)
        if fault == LOSE:
            await _routes(self)(scope, receive, _nowhere)
        if fault in (DROP, LOSE):
            response: Response | None = StreamingResponse(_broken(), headers={"Content-Length": "1000"})
        else:
            response = _no(fault, self.says) if fault > 0 else self._stranger(request)
        await (response or _routes(self))(scope, receive, send)

    def _next_fault(self, request: Request) -> int:
        for fault in self.faults:
            if fault.method == request.method and fault.part in request.url.path and fault.times > 0:
                fault.times -= 1
                return fault.status
        return PASS

    def _stranger(self, request: Request) -> Response | None:
        if request.url.path.startswith("/large/"):  # such addresses are signed
            return None
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _no(401, "Invalid credentials in Authorization header")
        asks = ("preupload", "objects/batch", "/commit/", "/tag/", "repos/create")
        if self.read_only and any(part in request.url.path for part in asks):
            return _no(403, "You don't have the rights")
        return None


async def _broken() -> AsyncIterator[bytes]:
    yield b"{"
    raise ConnectionResetError


async def _nowhere(message: Any) -> None:
    pass


def _no(status: int, message: str, code: str = "") -> Response:
    headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
    return JSONResponse({"error": message}, status, headers=headers)


def _git_hash(data: bytes) -> str:
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()


def _entry(path: str, data: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(data), "oid": _git_hash(data)}
    if path.endswith(LARGE):
        sha = hashlib.sha256(data).hexdigest()
        entry |= {"oid": _git_hash(sha.encode()), "lfs": {"oid": sha, "size": len(data), "pointerSize": 130}}
    return entry


class _Answers:
    """One method a route; each gets the request and its repository."""

    def __init__(self, hub: FakeHub) -> None:
        self.hub = hub

    async def create(self, request: Request) -> Response:
        asked = await request.json()
        name = f"{asked['organization']}/{asked['name']}"
        url = f"{self.hub.url}/datasets/{name}"
        if name in self.hub.repos:
            return JSONResponse({"error": "You already created this dataset repo", "url": url}, 409)
        repo = self.hub.repos[name] = Repo(private=asked.get("visibility") == "private" or bool(asked.get("private")))
        repo.commit({".gitattributes": b"*.parquet filter=lfs\n*.jpg filter=lfs\n"}, "initial commit")
        return JSONResponse({"url": url, "name": name})

    async def check_yaml(self, request: Request) -> Response:
        wrong = "license: not-a-licence" in (await request.json())["content"]
        errors = [{"message": '"license" must be one of [...]'}] if wrong else []
        return JSONResponse({"errors": errors, "warnings": []}, 400 if wrong else 200)

    async def info(self, request: Request, repo: Repo) -> Response:
        return JSONResponse({"id": request.path_params["name"], "sha": repo.main, "private": repo.private, "tags": []})

    async def refs(self, request: Request, repo: Repo) -> Response:
        def named(kind: str, refs: dict[str, str]) -> list[dict[str, str]]:
            return [{"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": oid} for name, oid in refs.items()]

        return JSONResponse(
            {"branches": named("heads", {"main": repo.main}), "converts": [], "tags": named("tags", repo.tags)}
        )

    async def tree(self, request: Request, repo: Repo) -> Response:
        try:
            files = repo.at(request.path_params["revision"])
        except KeyError:
            return _no(404, "Invalid rev id", "RevisionNotFound")
        folders = {str(parent) for path in files for parent in Path(path).parents} - {"."}
        entries = [{"type": "directory", "path": path, "oid": _git_hash(path.encode())} for path in sorted(folders)]
        return JSONResponse(entries + [_entry(path, data) for path, data in sorted(files.items())])

    async def preupload(self, request: Request, repo: Repo) -> Response:
        files = repo.at("main")
        answers = []
        for asked in (await request.json())["files"]:
            known = _entry(asked["path"], files[asked["path"]]) if asked["path"] in files else {}
            oid = known.get("lfs", known).get("oid")
            mode = "lfs" if asked["path"].endswith(LARGE) else "regular"
            ignored = self.hub.keeps_out is not None and asked["path"].startswith(self.hub.keeps_out)
            answers.append({"path": asked["path"], "uploadMode": mode, "shouldIgnore": ignored, "oid": oid})
        return JSONResponse({"files": answers})

    async def batch(self, request: Request, repo: Repo) -> Response:
        objects = []
        for asked in (await request.json())["objects"]:
            if asked["oid"] not in self.hub.large:
                upload = {"href": f"{self.hub.url}/large/{asked['oid']}"}
                verify = {"href": f"{self.hub.url}/verify/{asked['oid']}"}
                asked |= {"actions": {"upload": upload, "verify": verify}}
            objects.append(asked)
        return JSONResponse({"transfer": "basic", "objects": objects})

    async def upload(self, request: Request) -> Response:
        data = await request.body()
        if hashlib.sha256(data).hexdigest() != request.path_params["oid"]:
            return _no(400, "these bytes have another hash")
        self.hub.large[request.path_params["oid"]] = data
        return Response()

    async def verify(self, request: Request) -> Response:
        asked = await request.json()
        return Response() if len(self.hub.large[asked["oid"]]) == asked["size"] else _no(422, "wrong size")

    async def commit(self, request: Request, repo: Repo) -> Response:
        if self.hub.before_commit:
            self.hub.before_commit(repo)
        lines = [json.loads(line) for line in (await request.body()).splitlines()]
        header, files = lines[0]["value"], dict(repo.at("main"))
        if header.get("parentCommit", repo.main) != repo.main:
            return _no(412, "A commit has happened since. Please refresh and try again.")
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.large[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        oid = repo.commit(files, header["summary"])
        url = f"{self.hub.url}/datasets/{request.path_params['name']}/commit/{oid}"
        return JSONResponse({"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})

    async def tag(self, request: Request, repo: Repo) -> Response:
        name = (await request.json())["tag"]
        if name in repo.tags:
            return _no(409, "Tag reference exists already")
        revision = request.path_params["revision"]
        repo.tags[name] = repo.main if revision == "main" else revision
        return Response()

    def known(self, answer: Callable[[Request, Repo], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Wrap an answer so that it gets the repository; 404 where there is none."""

        async def wrapped(request: Request) -> Response:
            repo = self.hub.repos.get(request.path_params["name"].removesuffix(".git"))
            return await answer(request, repo) if repo else _no(404, "Repository not found", "RepoNotFound")

        return wrapped


def _routes(hub: FakeHub) -> Starlette:
    answers, owner = _Answers(hub), "/api/datasets/{name:path}"
    return Starlette(
        routes=[
            Route("/api/repos/create", answers.create, methods=["POST"]),
            Route("/api/validate-yaml", answers.check_yaml, methods=["POST"]),
            Route(f"{owner}/refs", answers.known(answers.refs)),
            Route(f"{owner}/tree/{{revision:path}}", answers.known(answers.tree)),
            Route(f"{owner}/preupload/{{revision:path}}", answers.known(answers.preupload), methods=["POST"]),
            Route(f"{owner}/commit/{{revision:path}}", answers.known(answers.commit), methods=["POST"]),
            Route(f"{owner}/tag/{{revision:path}}", answers.known(answers.tag), methods=["POST"]),
            Route(owner, answers.known(answers.info)),
            Route("/datasets/{name:path}/info/lfs/objects/batch", answers.known(answers.batch), methods=["POST"]),
            Route("/large/{oid}", answers.upload, methods=["PUT"]),
            Route("/verify/{oid}", answers.verify, methods=["POST"]),
        ]
    )
