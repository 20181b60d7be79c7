"""Broken JSON with one reading only: what a model meant is put right, and nothing is guessed.

Repaired are: a fence around the JSON or words around it, single quotes, commas before a closing bracket, a closing
bracket that closes nothing, and brackets left open after the last complete value. A text that breaks off inside a value
is not repaired: whether "12" was going to be "123" nobody knows.
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


def repaired(text: str) -> str:
    """Return the JSON that a text was meant to be; the text as it is where that is not clear.

    >>> repaired("Here: [{'bbox_2d': [1, 2, 3, 4,]}}")
    '[{"bbox_2d": [1, 2, 3, 4]}]'
    """
    fenced = _FENCE.findall(text)
    body = _cut(fenced[0] if len(fenced) == 1 else text)
    body = _SINGLE.sub(lambda match: json.dumps(match[1]) if match[2] else match[0], body)
    return _COMMA.sub(lambda match: match[1] or "", _balanced(body))


def _cut(text: str) -> str:
    """Drop the words before the first opening bracket, and after the last closing one unless they are more JSON."""
    start = min((at for at in (text.find("["), text.find("{")) if at >= 0), default=0)
    end = max(text.rfind("]"), text.rfind("}")) + 1
    return text[start:end] if end > start and not _MORE.search(text, end) else text[start:]


def _balanced(text: str) -> str:
    """Drop closing brackets that close nothing, and add those that are missing after a complete value."""
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
            if not opened or _CLOSING[opened[-1]] != mark:
                continue
            opened.pop()
        kept.append(mark)
    kept.append(text[at:])
    if opened and text.rstrip().endswith(("]", "}")):
        kept += [_CLOSING[mark] for mark in reversed(opened)]
    return "".join(kept)
