"""The people of `team_load`: each signs in, claims, clicks, saves, submits or reviews over HTTP.

What they write down of it is the independent record that the store is judged by afterwards.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import cv2
import httpx
import numpy as np

from whyseg.schemas import Mask, Sample

PASSWORD = "correct horse battery staple"
SIZE = (480, 640)  # (height, width) of the pictures
POLL = 0.3  # seconds between questions to the encoder, as the page asks
REASONS = ("boundary", "ambiguous_query", "wrong_type")


@dataclass(frozen=True)
class Held:
    """Somebody had the lease on a sample at least from ``since`` to ``until``, in seconds of one clock."""

    sample_id: str
    who: str
    since: float
    until: float


@dataclass(frozen=True)
class Saved:
    """A save that the server acknowledged."""

    sample_id: str
    who: str
    edit: str
    revision: str
    number: int
    content: str


@dataclass
class Record:
    """What all people have seen."""

    holds: list[Held] = field(default_factory=list)
    now_held: dict[str, str] = field(default_factory=dict)  # sample: who, as far as the people know
    saves: list[Saved] = field(default_factory=list)
    submits: list[tuple[str, str, str]] = field(default_factory=list)  # (sample, who, revision)
    reviews: list[tuple[str, str, str]] = field(default_factory=list)  # (sample, who, the review's id)
    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))  # milliseconds by kind of request
    errors: list[str] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # by rule, as it should be

    def double_claims(self) -> list[tuple[Held, Held]]:
        """Return the pairs of times in which two people had one sample."""
        found = []
        by_sample: dict[str, list[Held]] = defaultdict(list)
        for held in self.holds:
            by_sample[held.sample_id].append(held)
        for holds in by_sample.values():
            for k, one in enumerate(holds):
                for other in holds[k + 1 :]:
                    if one.who != other.who and one.since < other.until and other.since < one.until:
                        found.append((one, other))
        return found


class Person:
    """Somebody at a browser, who does what the page does; ``pace`` is the seconds from one click to the next."""

    def __init__(
        self, name: str, url: str, record: Record, *, reviews: bool = False, pace: float = 1.0, beat: float = 20.0
    ) -> None:
        self.name, self.record, self.reviews = name, record, reviews
        self.pace, self.beat = pace, beat
        self.chance = random.Random(name)
        self.http = httpx.AsyncClient(base_url=f"{url}/api/v1", timeout=60)
        self.last: str | None = None
        self.clicks = self.edits = 0

    async def work(self, ready: asyncio.Barrier, image_id: str, seconds: float) -> None:
        """Sign in, wait for the others and for the model, by one image; work, and finish what is begun by then."""
        async with self.http:
            await self._login()
            await self._encoded(image_id)
            await ready.wait()
            end = time.monotonic() + seconds
            await asyncio.sleep(self.chance.uniform(0, self.pace))
            while time.monotonic() < end:
                if self.reviews and self.chance.random() < 0.5:
                    await self._review()
                else:
                    await self._annotate(end)
            await self._ask("logout", "POST", "/logout", fine={200})

    async def _login(self) -> None:
        for _ in range(20):
            body = {"name": self.name, "password": PASSWORD}
            answer = await self._ask("login", "POST", "/login", body, fine={200, 429})
            if answer is None or answer.status_code == 200:
                return
            self.record.refused["login, too many at once"] += 1
            await asyncio.sleep(float(answer.headers["retry-after"]))
        self.record.errors.append(f"{self.name} could not sign in")

    async def _annotate(self, end: float) -> None:
        """Claim a sample, work on it while its lease is kept alive, and give it back."""
        token, sample_id = await self._claim()
        if token is None:
            await asyncio.sleep(self.pace / 2)
            return
        since = time.monotonic()
        self.record.now_held[sample_id] = self.name
        alive = asyncio.create_task(self._keep(sample_id, token))
        try:
            await self._draw(sample_id, end)
        finally:
            alive.cancel()
            with suppress(asyncio.CancelledError):
                await alive
            self.last = sample_id
            self.record.holds.append(Held(sample_id, self.name, since, time.monotonic()))
            self.record.now_held.pop(sample_id, None)
            await self._ask("give back", "DELETE", f"/samples/{sample_id}/lease", {"token": token}, fine={200})

    async def _claim(self) -> tuple[str | None, str]:
        """Claim the next sample, and one in ten times that which somebody else has: that must be refused."""
        others = [key for key, who in self.record.now_held.items() if who != self.name]
        if others and self.chance.random() < 0.1:
            sample_id = self.chance.choice(others)
            answer = await self._ask("claim", "POST", f"/samples/{sample_id}/lease", fine={200, 409})
            if answer is not None and answer.status_code == 200:
                return answer.json()["token"], sample_id
            self.record.refused["claim, somebody else's"] += 1
        answer = await self._ask("next", "POST", "/samples/next", {"after": self.last}, fine={200})
        lease = answer.json()["lease"] if answer is not None else None
        return (lease["token"], lease["sample_id"]) if lease else (None, "")

    async def _keep(self, sample_id: str, token: str) -> None:
        while True:
            await asyncio.sleep(self.beat)
            await self._ask("heartbeat", "PUT", f"/samples/{sample_id}/lease", {"token": token}, fine={200})

    async def _draw(self, sample_id: str, end: float) -> None:
        answer = await self._ask("open", "GET", f"/samples/{sample_id}", fine={200})
        if answer is None or answer.json()["state"] not in ("draft", "rejected"):
            return
        shown = answer.json()
        sample, revision = shown["sample"], shown["revision"]
        await self._ask("picture", "GET", f"/images/{sample['image_id']}", fine={200})
        await self._encoded(sample["image_id"])
        prompts: list[list[float]] = []
        for k in range(self.chance.randint(3, 25)):
            if time.monotonic() >= end:
                break
            await asyncio.sleep(self.pace * self.chance.uniform(0.8, 1.2))
            if k % 4 == 0:
                prompts = []  # another object
            prompts.append([self.chance.uniform(0, SIZE[1] - 1), self.chance.uniform(0, SIZE[0] - 1), 1])
            mask = await self._click(sample["image_id"], prompts)
            if mask is None:
                return
            one = {"id": 1, "mask": mask.plain(), "label": f"thing {k}", "origin": {"kind": "click", "model": "tiny"}}
            sample = {**sample, "instances": [one], "query": {"text": f"what is {self.name}'s {self.edits}?"}}
            if (revision := await self._save(sample, revision)) is None:
                return
            await self._ask("empty", "POST", "/encode", {"image_ids": []}, fine={200})
        if self.chance.random() < 0.7:
            await self._submit(sample, revision)

    async def _submit(self, sample: dict[str, Any], parent: str) -> None:
        whole = {**sample, "reasoning_type": "commonsense", "hops": ["one step"], "depth": 1}
        revision = await self._save(whole, parent)
        if revision is None or not sample["instances"]:
            return
        answer = await self._ask("submit", "POST", f"/samples/{sample['id']}/submit", {"parent": revision}, fine={200})
        if answer is not None:
            self.record.submits.append((sample["id"], self.name, revision))

    async def _encoded(self, image_id: str) -> None:
        for _ in range(100):
            answer = await self._ask("encode", "POST", "/encode", {"image_ids": [image_id]}, fine={200})
            if answer is None or answer.json()["images"][image_id]["state"] == "ready":
                return
            await asyncio.sleep(POLL)

    async def _click(self, image_id: str, points: list[list[float]]) -> Mask | None:
        self.clicks += 1
        body = {"client": self.name, "seq": self.clicks, "image_id": image_id, "points": points}
        answer = await self._ask("click", "POST", "/click", body, fine={200})
        if answer is None:
            return None
        told = answer.json()
        self.record.took["click, beside the model"].append(
            self.record.took["click"][-1] - told["ms"]["model"] - told["ms"]["wait"]
        )
        left, top, width, height = told["best"]["bbox"]
        bitmap = np.zeros(SIZE, np.uint8)
        cv2.ellipse(
            bitmap,
            (left + width // 2, top + height // 2),
            (max(2, width // 2), max(2, height // 2)),
            0, 0, 360, 1, -1,
        )  # fmt: skip
        return Mask.encode(bitmap)

    async def _save(self, sample: dict[str, Any], parent: str) -> str | None:
        """Save, one in ten times twice as after a lost answer; return the revision."""
        self.edits += 1
        whole = Sample.parse(sample)
        edit = f"{self.name}-{self.edits}"
        body = {"edit": edit, "parent": parent, "sample": sample}
        answer = await self._ask("save", "PUT", f"/samples/{whole.id}", body, fine={200})
        if answer is None:
            return None
        told = answer.json()
        self.record.saves.append(
            Saved(whole.id, self.name, edit, told["revision"], told["number"], whole.content_hash())
        )
        if self.chance.random() < 0.1:
            again = await self._ask("save again", "PUT", f"/samples/{whole.id}", body, fine={200})
            if again is not None and again.json()["revision"] != told["revision"]:
                self.record.errors.append(f"{self.name}: edit {edit} made two revisions")
        return str(told["revision"])

    async def _review(self) -> None:
        page = await self._ask("list", "GET", "/samples?state=submitted&limit=50", fine={200})
        waiting = page.json()["samples"] if page is not None else []
        if waiting:
            sample_id = self.chance.choice(waiting)["id"]
            answer = await self._ask("open", "GET", f"/samples/{sample_id}", fine={200})
            if answer is not None:
                await self._decide(sample_id, answer.json()["revision"])
        await asyncio.sleep(2 * self.pace)

    async def _decide(self, sample_id: str, revision: str) -> None:
        await self._ask("look", "GET", f"/revisions/{revision}/picture", fine={200})
        await asyncio.sleep(self.pace)
        self.edits += 1
        name = f"{self.name}-{self.edits}"
        accept = self.chance.random() < 0.6
        reasons = [] if accept else [self.chance.choice(REASONS)]
        body = {"id": name, "revision": revision, "decision": "accept" if accept else "reject", "reasons": reasons}
        answer = await self._ask("review", "POST", f"/samples/{sample_id}/review", body, fine={200, 409})
        if answer is not None and answer.status_code == 200:
            self.record.reviews.append((sample_id, self.name, name))
        elif answer is not None:
            self.record.refused[f"review, {answer.json()['error']}"] += 1

    async def _ask(
        self, kind: str, method: str, path: str, body: Any = None, *, fine: Collection[int]
    ) -> httpx.Response | None:
        """Ask the server; what is not ``fine`` is an error, and None."""
        started = time.perf_counter()
        try:
            answer = await self.http.request(method, path, json=body)
        except httpx.HTTPError as error:
            self.record.errors.append(f"{self.name}, {kind}: {error!r}")
            return None
        self.record.took[kind].append(1e3 * (time.perf_counter() - started))
        if answer.status_code not in fine:
            self.record.errors.append(f"{self.name}, {kind}: {answer.status_code} {answer.text[:200]}")
            return None
        return answer
