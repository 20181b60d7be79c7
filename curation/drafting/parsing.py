"""A model's reply as drafts: repaired where there is one reading only, else a failure that keeps the text."""

import json
import re
from dataclasses import dataclass
from typing import Any

from whyseg.schemas import DraftProblem

_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)
_FENCE = re.compile(r"```(?:json|JSON)?\s*\n(.*?)(?:```|\Z)", re.DOTALL)
_QUERY, _HOPS, _ANSWER = ("query", "question"), ("hops", "steps"), ("answer", "label", "target")
MAX_HOPS = 8
KEPT = 4000  # characters of a reply that a failure keeps


@dataclass(frozen=True)
class Proposal:
    """What a reply says of one question."""

    query: str
    is_sentence: bool
    hops: tuple[str, ...]
    answer: str


def failure(reason: str, text: str) -> DraftProblem:
    """Return a failure to understand a reply, with the reply."""
    return DraftProblem(kind="parse_failure", reason=reason, text=text[:KEPT])


def parse(text: str) -> list[Proposal] | DraftProblem:
    """Read a reply.

    Thinking, fences and words around the JSON are skipped; commas before a closing bracket are dropped; of a list that
    breaks off the complete items are kept. Whatever else is broken is a failure.

    >>> parse('Sure! {"drafts": [{"query": "What rings?", "hops": ["Phones ring."], "answer": "phone"},]}')
    [Proposal(query='What rings?', is_sentence=True, hops=('Phones ring.',), answer='phone')]
    """
    shown = _THINKING.sub("", text)
    fenced = _FENCE.findall(shown)
    if len(fenced) > 1:
        return failure(f"{len(fenced)} blocks of JSON, expected one", text)
    items = _items(fenced[0] if fenced else shown)
    if items is None:
        return failure("no JSON that could be read", text)
    read = [_proposal(item) for item in items]
    good = [proposal for proposal in read if isinstance(proposal, Proposal)]
    if good:
        return good
    return failure(str(read[0]) if read else "no drafts in it", text)


def _items(text: str) -> list[Any] | None:
    """Return the drafts' data; None when there is no readable JSON."""
    start = min((k for k in (text.find("{"), text.find("[")) if k >= 0), default=-1)
    if start < 0:
        return None
    body = _without_trailing_commas(text[start:])
    try:
        data, _ = json.JSONDecoder().raw_decode(body)
    except (ValueError, RecursionError):
        return _complete_items(body)
    return _listed(data)


def _listed(data: Any) -> list[Any]:
    if isinstance(data, dict):
        drafts = data.get("drafts", data.get("questions"))
        return drafts if isinstance(drafts, list) else [data]
    return data if isinstance(data, list) else [data]


def _complete_items(body: str) -> list[Any] | None:
    """Return the complete objects at the head of a list that breaks off."""
    opening = re.match(r'\{\s*"(?:drafts|questions)"\s*:\s*\[|\[', body)
    if not opening:
        return None
    items, at = [], opening.end()
    while found := re.compile(r"[\s,]*(?=\{)").match(body, at):
        try:
            item, at = json.JSONDecoder().raw_decode(body, found.end())
        except (ValueError, RecursionError):
            break
        items.append(item)
    return items or None


def _without_trailing_commas(text: str) -> str:
    """Drop commas before a closing bracket, outside of strings.

    >>> _without_trailing_commas('[1, "a,]", ]')
    '[1, "a,]" ]'
    """
    return re.sub(r'("(?:[^"\\]|\\.)*")|,(?=\s*[\]}])', lambda match: match[1] or "", text)


def _proposal(item: Any) -> Proposal | str:
    """Return a proposal, or what is wrong with it."""
    if not isinstance(item, dict):
        return f"a draft is an object, got {type(item).__name__}"
    query, hops, answer = (_first(item, names) for names in (_QUERY, _HOPS, _ANSWER))
    if not isinstance(query, str) or not query.strip() or len(query) > 4000:
        return "a draft has no query"
    if not isinstance(hops, list) or not all(isinstance(hop, str) and hop.strip() for hop in hops):
        return "a draft has no list of hops"
    if not 1 <= len(hops) <= MAX_HOPS:
        return f"a draft has {len(hops)} hops, expected 1 to {MAX_HOPS}"
    sentence = item.get("is_sentence")
    if not isinstance(sentence, bool):
        sentence = query.rstrip().endswith(("?", ".", "!"))
    label = answer.strip()[:200] if isinstance(answer, str) else ""
    return Proposal(query.strip(), sentence, tuple(hop.strip()[:4000] for hop in hops), label)


def _first(item: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((item[name] for name in names if name in item), None)
