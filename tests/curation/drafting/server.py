"""A real HTTP server that speaks OpenAI's chat protocol, and misbehaves as it is told."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Reply = Callable[[dict[str, Any]], Response]


def draft_json(query: str = "What keeps the rain off?", hops: int = 1) -> str:
    drafts = [{"query": query, "is_sentence": True, "hops": [f"Step {k}." for k in range(hops)], "answer": "umbrella"}]
    return json.dumps({"drafts": drafts})


def completion(content: str | None, *, ending: str = "stop", refusal: str | None = None) -> Response:
    """Answer with a completion that took 1,000 tokens in and 50 out."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    usage = {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}
    return JSONResponse({"choices": [{"index": 0, "message": message, "finish_reason": ending}], "usage": usage})


def error(status: int, message: str = "no", **headers: str) -> Response:
    return JSONResponse({"error": {"message": message}}, status, headers)


def dripping(body: bytes, seconds: float) -> Response:
    """Send a byte every ``seconds``."""

    async def drip() -> AsyncIterator[bytes]:
        for byte in body:
            yield bytes([byte])
            await asyncio.sleep(seconds)

    return StreamingResponse(drip(), media_type="application/json")


class Cut(Response):
    """A reply whose connection ends before its body does."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"10000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"choices": [{"mess', "more_body": True})


@dataclass
class ChatServer:
    """Answers the n-th request with the n-th reply, and the last one from then on; remembers what it got."""

    replies: list[Response | Reply]
    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def chat(self, request: Request) -> Response:
        self.bodies.append(await request.json())
        self.keys.append(request.headers.get("authorization", ""))
        reply = self.replies[min(len(self.bodies), len(self.replies)) - 1]
        return reply if isinstance(reply, Response) else reply(self.bodies[-1])


@contextmanager
def serving(*replies: Response | Reply) -> Iterator[ChatServer]:
    """Serve on a free port of this machine while the context lasts."""
    chat = ChatServer(list(replies))
    app = Starlette(routes=[Route("/v1/chat/completions", chat.chat, methods=["POST"])])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    chat.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield chat
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
