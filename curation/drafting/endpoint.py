"""A model behind an OpenAI-compatible address: one question, one answer, with patience.

The key comes from an environment variable and goes into the request's header, nowhere else: not into messages, not into
what is kept of replies, and addresses that carry one are refused.
"""

import email.utils
import json
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self, TypeVar

import httpx

from whyseg.schemas import DraftProblem, Usage
from whyseg.schemas.errors import DrafterUnavailable, EndpointDenied, UsageError

DEFAULT_ENDPOINT = "https://api.openai.com/v1"
KEY_VARIABLE = "OPENAI_API_KEY"
MAX_REPLY_BYTES = 4 * 2**20
LONGEST_WAIT = 60.0
CONNECT_SECONDS = 10.0
_RETRIED = {408, 409, 425, 429, 500, 502, 503, 504, 529}
_DENIED = {401, 403, 404, 405}
_SHOWN = 300


@dataclass(frozen=True)
class Answer:
    """What a model said, and whether it was cut off."""

    text: str
    cut_off: bool
    usage: Usage


@dataclass(frozen=True)
class Unanswered:
    """Why there is no answer, and what it took."""

    problem: DraftProblem
    usage: Usage


Read = TypeVar("Read")


class _Failed(Exception):
    """A try that another may mend."""

    def __init__(self, reason: str, *, after: float | None = None, body: str = "") -> None:
        self.reason, self.after, self.body = reason, after, body
        super().__init__(reason)


class Endpoint:
    """Chat completions at ``endpoint``, the address below which ``/chat/completions`` lies.

    ``prices``: money for a million tokens in and out. ``seconds``: how long one try may take in all, however slowly
    the reply drips in. ``tries``: how often a request is sent when it fails for a passing reason. Use it as a context
    manager, or call `close`.
    """

    def __init__(
        self,
        endpoint: str,
        model: str,
        *,
        key_variable: str = KEY_VARIABLE,
        prices: tuple[float, float] = (0.0, 0.0),
        seconds: float = 120.0,
        tries: int = 5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        address = _address(endpoint)
        self.url, self.model, self.seconds, self.tries = f"{address}/chat/completions", model, seconds, tries
        self._key_variable, self._prices, self._sleep = key_variable, prices, sleep
        self._constrained = True
        self._client = httpx.Client(timeout=httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, messages: list[dict[str, Any]], schema: dict[str, Any] | None, *, tokens: int) -> Answer | Unanswered:
        """Send messages and return the answer; ``schema`` constrains it where the server can do that.

        Raises ``EndpointDenied`` when the server will answer no request like this one, ``DrafterUnavailable`` for a key
        that can be none.
        """
        return self._tried(messages, schema, {"max_tokens": tokens}, self._read)

    def sample(
        self, messages: list[dict[str, Any]], *, n: int, tokens: int, **sampling: float
    ) -> list[Answer] | Unanswered:
        """Send messages and return up to ``n`` answers, an empty one as empty text; ``sampling`` is sent as it is.

        A server that knows no ``n`` gives one answer. Raises as `ask` does.
        """
        return self._tried(messages, None, {"max_tokens": tokens, "n": n, **sampling}, self._read_all)

    def _tried(
        self,
        messages: list[dict[str, Any]],
        schema: dict[str, Any] | None,
        settings: dict[str, Any],
        read: Callable[[Any, Usage], Read],
    ) -> Read | Unanswered:
        usage, last = Usage(), _Failed("it was not tried")
        for number in range(self.tries):
            if number:
                self._sleep(_wait(number, last.after))
            try:
                reply = self._send(messages, schema, settings)
                if isinstance(reply, DraftProblem):
                    return Unanswered(reply, usage)
                usage = usage + self._usage(reply)
                return read(reply, usage)
            except _Failed as failed:
                last = failed
        kind = "parse_failure" if last.body else "unanswered"
        reason = f"{last.reason}, in {self.tries} tries"
        return Unanswered(DraftProblem(kind=kind, reason=reason, text=last.body), usage)  # type: ignore[arg-type]

    def _send(self, messages: list[dict[str, Any]], schema: dict[str, Any] | None, settings: dict[str, Any]) -> Any:
        body: dict[str, Any] = {"model": self.model, "messages": messages, **settings}
        if schema and self._constrained:
            form = {"name": "reply", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        status, headers, text = self._post(body)
        if status == 400 and "response_format" in body and "response_format" in text:
            self._constrained = False  # an older server: the parser has to do alone
            raise _Failed("the server knows no response_format", after=0.0)
        if status in _RETRIED and "insufficient_quota" not in text:
            raise _Failed(f"the server answered {status}", after=_retry_after(headers))
        if status in _DENIED or 300 <= status < 400 or (status == 429 and "insufficient_quota" in text):
            hint = f"; is {self._key_variable} set and right?" if status in (401, 403) else ""
            raise EndpointDenied(f"{self.url} answered {status} to model {self.model}{hint}: {_line(text)}")
        if status != 200:
            kind = "refused" if "content_policy" in text or "content_filter" in text else "unanswered"
            return DraftProblem(kind=kind, reason=f"the server answered {status}: {_line(text)}")  # type: ignore[arg-type]
        try:
            return json.loads(text)
        except ValueError:
            raise _Failed("the server's reply is no JSON", body=text[:4000]) from None

    def _post(self, body: dict[str, Any]) -> tuple[int, httpx.Headers, str]:
        """Return status, headers and text of the reply, the key taken out wherever a server repeats it."""
        key = self._key()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        ends = time.monotonic() + self.seconds
        received = bytearray()
        try:
            with self._client.stream("POST", self.url, json=body, headers=headers) as reply:
                for chunk in reply.iter_bytes():
                    received += chunk
                    if len(received) > MAX_REPLY_BYTES:
                        raise _Failed(f"the reply is over {MAX_REPLY_BYTES} bytes")
                    if time.monotonic() > ends:
                        raise _Failed(f"the reply took over {self.seconds:g} seconds")
        except httpx.TimeoutException:
            raise _Failed("the server did not answer in time") from None
        except httpx.TransportError as error:
            raise _Failed(f"no connection ({type(error).__name__})") from None
        return reply.status_code, reply.headers, self._hidden(received.decode("utf-8", "replace"))

    def _key(self) -> str:
        key = os.environ.get(self._key_variable, "").strip()
        if not (key.isascii() and key.isprintable()):  # the client's own error would show it
            raise DrafterUnavailable(f"{self._key_variable} holds characters that no key has")
        return key

    def _hidden(self, text: str) -> str:
        """Return a text without the key, which a server may repeat, also in JSON's escapes."""
        key = self._key()
        return text.replace(key, "***") if key else text

    def _read(self, reply: Any, usage: Usage) -> Answer | Unanswered:
        try:
            choice = reply["choices"][0]
            message, ending = choice["message"], choice.get("finish_reason")
            content, refusal = message.get("content"), message.get("refusal")
        except (AttributeError, IndexError, KeyError, TypeError):
            raise _Failed("the server's reply holds no choice", body=self._shown(reply)) from None
        if refusal or ending == "content_filter":
            text = self._hidden(str(refusal or content or ""))[:4000]
            return Unanswered(DraftProblem(kind="refused", reason="the model declines", text=text), usage)
        if not isinstance(content, str) or not content.strip():
            problem = DraftProblem(kind="parse_failure", reason="the answer is empty", text=self._shown(reply))
            return Unanswered(problem, usage)
        return Answer(self._hidden(content), ending == "length", usage)

    def _read_all(self, reply: Any, usage: Usage) -> list[Answer]:
        try:
            texts = [(choice["message"].get("content"), choice.get("finish_reason")) for choice in reply["choices"]]
        except (AttributeError, KeyError, TypeError):
            texts = []
        if not texts:
            raise _Failed("the server's reply holds no choice", body=self._shown(reply))
        return [
            Answer(self._hidden(text) if isinstance(text, str) else "", ending == "length", usage)
            for text, ending in texts
        ]

    def _shown(self, reply: Any) -> str:
        return self._hidden(json.dumps(reply, ensure_ascii=False))[:4000]

    def _usage(self, reply: Any) -> Usage:
        counts = reply.get("usage") if isinstance(reply, dict) else None
        found = [counts.get(name) if isinstance(counts, dict) else 0 for name in ("prompt_tokens", "completion_tokens")]
        given, made = (count if isinstance(count, int) and count > 0 else 0 for count in found)
        cost = (given * self._prices[0] + made * self._prices[1]) / 1e6
        return Usage(prompt_tokens=given, completion_tokens=made, cost=cost)


def _address(endpoint: str) -> str:
    try:
        url = httpx.URL(endpoint)
    except httpx.InvalidURL:
        raise UsageError("the endpoint is no address; expected one such as http://localhost:8000/v1") from None
    if url.userinfo or url.query or url.fragment:
        raise UsageError("the endpoint carries a name, a key or a query; a key belongs into an environment variable")
    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(f"expected an endpoint such as http://localhost:8000/v1, got {endpoint!r}")
    return str(url).rstrip("/")


def _wait(number: int, after: float | None) -> float:
    """Return the seconds before try ``number`` + 1: what the server asked for, else doubled each time, with jitter."""
    return min(LONGEST_WAIT, after if after is not None else 2.0 ** (number - 1) * random.uniform(0.5, 1.0))


def _retry_after(headers: httpx.Headers) -> float | None:
    """Read Retry-After, in seconds or as a date; None without one."""
    said = headers.get("retry-after", "").strip()
    if not said:
        return None
    try:
        return max(0.0, float(said)) if float(said) < float("inf") else None
    except ValueError:
        pass
    try:
        at = email.utils.parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, (at.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _line(text: str) -> str:
    return " ".join(text.split())[:_SHOWN]
