"""Browsing 100,000 samples: pages, filters, orders, text search, statistics and findings, beside bare SQL.

    python -m benchmarks.browse_many [--quick] [--out FILE]

The samples lie on 5,000 made-up image records, in all states, types and depths; one in five has a finding, three model
runs scored half of them, and a change to every tenth is proposed. Each figure is a call of the store, as a route makes
it, against a SELECT of such a page by `sqlite3` itself on the same file, one after the other: of a text one that looks
at every question by LIKE. Last comes what the index of texts costs a save.
"""

import sqlite3
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import text

from benchmarks.machine import describe, line
from benchmarks.rows import Budget, Row, options, over, show, spread, write
from whyseg.curation.assignments import Assignments
from whyseg.curation.finding_pages import FindingFilter, Findings
from whyseg.curation.ordering import Order
from whyseg.curation.queries import SampleFilter
from whyseg.curation.rankings import rank
from whyseg.curation.store import Store
from whyseg.curation.users import Users
from whyseg.curation.workspace import Workspace
from whyseg.schemas import Finding, Image, Mask, Query, Sample
from whyseg.schemas.revision import State
from whyseg.schemas.sample import ReasoningType
from whyseg.schemas.user import Role

SAMPLES, IMAGES, TIMES, SIZE = 100_000, 5_000, 40, (120, 160)
STATES, TYPES = ("draft", "submitted", "accepted", "rejected"), tuple(ReasoningType)
THINGS = ("mug", "ladder", "Größe", "kite", "umbrella", "kettle", "saddle", "lantern", "anchor", "trowel")
ENDS = ("holds the tea", "keeps the rain off", "would one climb", "belongs at sea", "lights the way")
PAGE = "SELECT s.*, i.file_name FROM samples s JOIN images i ON i.id = s.image_id"
ORDERS: tuple[Order, ...] = (
    "updated", "findings", "proposed", "unsolved", "disagreeing", "ambiguous", "boundary", "easiest"
)  # fmt: skip


def main() -> None:
    asked = options(__doc__, "browse_many").parse_args()
    samples, times = (SAMPLES // 10, TIMES // 4) if asked.quick else (SAMPLES, TIMES)
    machine = describe("whyseg", "sqlalchemy", "pydantic")
    machine["sqlite"] = sqlite3.sqlite_version
    with tempfile.TemporaryDirectory() as name, Workspace.create(Path(name) / "team") as workspace:
        began = time.perf_counter()
        keys = fill(workspace.store, samples)
        filled = time.perf_counter() - began
        path = workspace.path / "whyseg.db"
        spoil(workspace.store, path, keys)
        rows = measured(workspace.store, path, keys, times)
        rows.append(Row(what=f"{samples:,} samples added", unit="samples/s", value=round(samples / filled, 1)))
    print(line(machine))
    show(rows)
    write(asked.out, rows, machine, quick=asked.quick, samples=samples, times=times)


# The workspace


def fill(store: Store, samples: int) -> list[str]:
    """Add images, samples and findings; return the samples' ids."""
    images = [image_of(number) for number in range(max(1, samples * IMAGES // SAMPLES))]
    mask = np.zeros(SIZE, bool)
    mask[20:60, 30:90] = True
    instance = {"id": 1, "mask": Mask.encode(mask), "label": "it", "origin": {"kind": "import"}}
    now, keys = datetime.now(UTC), list[str]()
    for start in range(0, samples, 2000):
        added = [sample_of(number, images, instance) for number in range(start, min(start + 2000, samples))]
        findings = [
            Finding(
                id=f"f{start + k}", kind=("thin", "twin", "far")[k % 3], severity=("info", "warning", "error")[k % 3],
                message=f"something about {k}", sample_id=one.id, evidence={"at": k}, created_at=now,
            )
            for k, one in enumerate(added)
            if k % 5 == 0
        ]  # fmt: skip
        store.add_samples(images if start == 0 else [], added, author="benchmark", findings=findings)
        keys += [one.id for one in added]
    Users(store.database).add("ann", Role.ANNOTATOR, "for the benchmark", author="benchmark")
    Assignments(store).assign(keys[: samples // 10 : 10][:1000], "ann", by="benchmark")
    return keys


def image_of(number: int) -> Image:
    name = f"IMG_{number:05d}.jpg"
    return Image(id=f"{number:064x}", file_name=name, width=SIZE[1], height=SIZE[0], format="JPEG", byte_size=1000)


def sample_of(number: int, images: list[Image], instance: dict[str, Any]) -> Sample:
    kind = TYPES[number % len(TYPES)]
    text = f"which {THINGS[number % 7 % len(THINGS)]} {ENDS[number % len(ENDS)]}, number {number}?"
    depth = 1 + number // 7 % 3
    return Sample.start(
        images[number % len(images)].id, SIZE, source="bench", source_record=str(number), query={"text": text},
        instances=[instance], reasoning_type=kind, hops=tuple(f"because {k}" for k in range(depth)), depth=depth,
    )  # fmt: skip


def spoil(store: Store, path: Path, keys: list[str]) -> None:
    """Spread states and times over the samples, score half of them in three runs, propose a change to every tenth."""
    with sqlite3.connect(path) as base:
        for n, state in enumerate(STATES):
            base.execute("UPDATE samples SET state = ? WHERE added % 11 % 4 = ?", (state, n))
        base.execute("UPDATE samples SET no_target = 1 WHERE added % 9 = 0")
        base.execute("UPDATE samples SET updated_at = replace(updated_at, '2026', 2000 + added * 7919 % 26)")
        for run in range(1, 4):
            at = f"2026-01-0{run}T00:00:00.000000+00:00"
            base.execute("INSERT INTO score_runs (id, created_at, body) VALUES (?, ?, '{}')", (str(run), at))
            base.execute(
                "INSERT INTO signals (run, sample_id, revision_id, mean_iou, best_iou, pass_rate, agreement, entropy, "
                "vote_iou, reprompted_iou, body) SELECT ?1, id, head, added * 7919 * ?1 % 1000 / 1000.0, "
                "added * 6007 * ?1 % 991 / 991.0, 0.5, 0.5, added * 104729 * ?1 % 997 / 997.0, "
                "added * 31 * ?1 % 101 / 101.0, added * 37 * ?1 % 103 / 103.0, '{}' FROM samples WHERE added % 2",
                (run,),
            )
        base.execute(
            "INSERT INTO proposals (id, sample_id, revision_id, reason, score, created_at, body) SELECT 'p' || added, "
            "id, head, 'boundary', added * 31 % 101 / 101.0, updated_at, '{}' FROM samples WHERE added % 10 = 0"
        )
    base.close()
    with store.database.write() as session:
        rank(session, keys)


# What is measured


def texts(count: int) -> dict[str, str]:
    """Return what is looked for in questions and file names, by how it is found."""
    return {
        "common": "kite", "rare": f"number {count - 7}", "not ASCII": "größe", "file name": "img_00003",
        "absent": "zebra", "everywhere": "number", "two letters": "ki", "two letters, absent": "zz", "a letter": "e",
    }  # fmt: skip


def measured(store: Store, path: Path, keys: list[str], times: int) -> list[Row]:
    bare = sqlite3.connect(path)
    count, rows, held = len(keys), list[Row](), Budget(of="p95", at_most=50)

    def add(what: str, ours: Callable[[], Any], sql: str, values: tuple[Any, ...] = ()) -> None:
        baseline = "the bare SELECT" + (
            ", in the order of adding" if what.startswith("by ") and "updated" not in what else ""
        )
        own, plain = beside(ours, lambda: bare.execute(sql, values).fetchall(), times)
        compared = over(own["p50"], plain["p50"])
        rows.append(Row(what=f"{count:,} samples: {what}", **own, baseline=baseline, **compared, budget=held))

    def listed(what: str, wanted: SampleFilter, where: str, values: tuple[Any, ...] = (), **more: Any) -> None:
        order, offset = more.get("order", "added"), more.get("offset", 0)
        column = "s.updated_at DESC" if order == "updated" else "s.added"
        sql = f"{PAGE} WHERE {where} ORDER BY {column} LIMIT 50 OFFSET {offset}"
        add(what, lambda: store.page(wanted, **more), sql, values)

    listed("first page", SampleFilter(), "1")
    listed("a page in the middle", SampleFilter(), "1", offset=count // 2)
    for state in ("draft", "accepted"):
        listed(f"state {state}", SampleFilter.parse({"state": state}), "state = ?", (state,))
    kind = TYPES[0]
    listed("a type", SampleFilter(reasoning_type=kind), "reasoning_type = ?", (kind.value,))
    listed("a depth", SampleFilter(depth=3), "depth = 3")
    both = "reasoning_type = ? AND depth = 2 AND state = 'draft'"
    listed("type, depth and state", SampleFilter.parse({"reasoning_type": kind, "depth": 2, "state": "draft"}), both,
           (kind.value,))  # fmt: skip
    listed("no target", SampleFilter(no_target=True), "no_target = 1")
    image = f"{3:064x}"
    listed("one image", SampleFilter(image_id=image), "s.image_id = ?", (image,))
    assigned = "s.id IN (SELECT sample_id FROM assignments WHERE user = 'ann')"
    listed("assigned to somebody", SampleFilter(assigned="ann"), assigned)
    listed("a change is proposed", SampleFilter(proposed=True), "s.id IN (SELECT sample_id FROM proposals)")
    listed("nothing is proposed", SampleFilter(proposed=False), "s.id NOT IN (SELECT sample_id FROM proposals)")
    listed("assigned to nobody", SampleFilter(assigned=""), "s.id NOT IN (SELECT sample_id FROM assignments)")
    for order in ORDERS:
        listed(f"by {order}", SampleFilter(), "1", order=order)
        listed(f"by {order}, the last page", SampleFilter(), "1", order=order, offset=count - 50)
    listed("a type, the last page", SampleFilter(reasoning_type=kind), "reasoning_type = ?", (kind.value,),
           offset=count // len(TYPES) - 50)  # fmt: skip
    listed("accepted, by unsolved", SampleFilter(state=State.ACCEPTED), "state = 'accepted'", order="unsolved")
    listed("a common text, by updated", SampleFilter(text="kite"), "query LIKE '%kite%'", order="updated")
    listed("a rare text, by updated", SampleFilter(text="number 777"), "query LIKE '%number 777%'", order="updated")
    for what, wanted in texts(count).items():
        like = "(query LIKE ? OR i.file_name LIKE ?)"
        listed(f"text, {what}", SampleFilter(text=wanted), like, (f"%{wanted}%",) * 2)
    add("statistics", store.stats, "SELECT state, count(*) FROM samples GROUP BY state")
    findings = Findings(store)
    add("findings, first page", lambda: findings.page(FindingFilter()), "SELECT * FROM findings LIMIT 50")
    add("findings of a kind", lambda: findings.page(FindingFilter(kind="far")),
        "SELECT * FROM findings WHERE kind = 'far' LIMIT 50")  # fmt: skip
    add("a sample's place", lambda: store.place(keys[count // 2]), "SELECT * FROM samples WHERE added = ?",
        (count // 2,))  # fmt: skip
    bare.close()
    rows += saves(store, count, times)
    return rows


def saves(store: Store, count: int, times: int) -> list[Row]:
    """Time saves of a changed question with the search index's trigger and, in turns of as many, without it."""
    took: dict[bool, list[float]] = {True: [], False: []}
    keys = [one.id for one in store.page(SampleFilter(state=State.DRAFT), limit=20 * times).samples]
    (trigger,) = (one for one in _statements(store, "sample_words_changed"))
    for turn, start in enumerate(range(0, len(keys), times)):
        with_index = turn % 2 == 1
        with store.database.write() as session:
            session.execute(text("DROP TRIGGER IF EXISTS sample_words_changed"))
            if with_index:
                session.execute(text(trigger))
        for key in keys[start : start + times]:
            head = store.head(key)
            asked = Query(text=f"which thing would somebody take along who goes out in such weather, number {start}?")
            changed = head.sample.model_copy(update={"query": asked})
            began = time.perf_counter()
            store.revise(key, changed, parent=head.revision.id, author="benchmark")
            took[with_index].append(1e3 * (time.perf_counter() - began))
    own, plain = spread(took[True]), spread(took[False])
    held = Budget(of="ratio", at_most=1.15)
    what = f"{count:,} samples: a save that changes the question"
    return [Row(what=what, **own, baseline="without the search index", **over(own["p50"], plain["p50"]), budget=held)]


def _statements(store: Store, name: str) -> list[str]:
    with store.database.read() as session:
        return list(session.scalars(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": name}))


def beside(ours: Callable[[], Any], theirs: Callable[[], Any], times: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Time two calls in turns; return the spread of each, in milliseconds."""
    took: tuple[list[float], list[float]] = ([], [])
    for turn in range(times + 1):
        for call, into in zip((ours, theirs), took, strict=True):
            start = time.perf_counter()
            call()
            if turn:  # the first warms
                into.append(1e3 * (time.perf_counter() - start))
    return spread(took[0]), spread(took[1])


if __name__ == "__main__":
    main()
