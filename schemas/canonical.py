"""Canonical JSON and content hashes: the written contract that identity in whyseg rests on.

1. A record is turned into plain JSON data: fields that hold their default are left out, tuples are lists, enums their
   values, times ISO 8601 in UTC ending in ``Z``.
2. The data is written with keys sorted by code point, no white space, text unescaped in UTF-8, finite floats in their
   shortest form that reads back equal (Python's ``repr``).
3. The hash is ``sha256:`` and the hexadecimal SHA-256 of those bytes. The tag makes a later change detectable.

Changing any of this changes every identifier ever written.
"""

import hashlib
import json
from typing import Any


def canonical_json(data: Any) -> str:
    """Return the canonical text of plain JSON data.

    Raises ``ValueError`` for NaN and infinity, ``TypeError`` for anything that is not JSON.

    >>> canonical_json({"b": [1, 2.50], "a": "é"})
    '{"a":"é","b":[1,2.5]}'
    """
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def content_hash(data: Any) -> str:
    """Return ``sha256:<hex>`` of the canonical JSON of plain data.

    >>> content_hash({})
    'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'
    """
    return "sha256:" + hashlib.sha256(canonical_json(data).encode()).hexdigest()
