"""Broken JSON with one reading only: what a model meant is put right, and nothing is guessed.

Repaired are: a fence around the JSON or words around it, single quotes, commas before a closing bracket, a closing
bracket that closes nothing, and, where the text came to its end, brackets left open after the last complete value. A
text that broke off is not repaired: whether "12" was going to be "123", or another object to follow, nobody knows.
"""

import json
import re

# Each pattern takes what it has looked at, an unfinished string too, so that no text is gone through twice.
_STRING = r'"(?:[^"\\]|\\.?)*(?:"|\Z)'
_FENCE = re.compile(r"```[a-zA-Z]*\s(.*?)```", re.DOTALL)
_SINGLE = re.compile(rf"{_STRING}|'((?:[^'\\\"]|\\.)*)(')?", re.DOTALL)
_COMMA = re.compile(rf"({_STRING})|,(?=\s*[\]}}])", re.DOTALL)
_TOKEN = re.compile(rf"{_STRING}|[\[\]{{}}]", re.DOTALL)
_MORE = re.compile(r'[\[{":]')
_CLOSING = {"[": "]", "{": "}"}


def repaired(text: str, *, ended: bool) -> str:
    """Return the JSON that a text was meant to be; no JSON where that is not clear.

    ``ended``: the text is known to be whole, so that what is open at its end was forgotten, not cut off.

    >>> repaired("Here: [{'bbox_2d': [1, 2, 3, 4,]}}", ended=True)
    '[{"bbox_2d": [1, 2, 3, 4]}]'
    """
    fenced = _FENCE.findall(text)
    body = _cut(fenced[0] if len(fenced) == 1 else text)
    body = _SINGLE.sub(lambda match: json.dumps(match[1]) if match[2] else match[0], body)
    return _COMMA.sub(lambda match: match[1] or "", _balanced(body, ended))


def _cut(text: str) -> str:
    """Drop the words before the first opening bracket, and after the last closing one unless they are more JSON."""
    start = min((at for at in (text.find("["), text.find("{")) if at >= 0), default=0)
    end = max(text.rfind("]"), text.rfind("}")) + 1
    return text[start:end] if end > start and not _MORE.search(text, end) else text[start:]


def _balanced(text: str, ended: bool) -> str:
    """Drop closing brackets that close nothing, and add those that are missing after a complete value.

    Returns the text as it is where a closing bracket closes another kind than is open: one is missing, but not where.
    """
    kept, opened, at = list[str](), list[str](), 0
    for token in _TOKEN.finditer(text):
        kept.append(text[at : token.start()])
        at, mark = token.end(), token[0]
        if mark in _CLOSING:
            opened.append(mark)
        elif mark in _CLOSING.values():
            complete = "".join(kept[-2:]).rstrip().endswith(("]", "}"))
            if mark == "]" and opened[-2:] == ["[", "{"] and complete:  # only the object's own bracket is missing
                kept.append("}")
                opened.pop()
            if mark not in [_CLOSING[one] for one in opened[-2:]]:
                continue
            if _CLOSING[opened.pop()] != mark:
                return text
        kept.append(mark)
    kept.append(text[at:])
    if ended and opened and text.rstrip().endswith(("]", "}")):
        kept += [_CLOSING[mark] for mark in reversed(opened)]
    return "".join(kept)
