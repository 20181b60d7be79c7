"""Pickles of other people's sets, read without running anything that is in them.

A pickle is a program. What is let through builds lists, dictionaries, numbers and texts, nothing else: no opcode that
looks up, calls or changes an object, no tuple (hashing deep ones overflows the stack), no place in the memo that the
file is too short for (the reader would allocate up to it). All of it is looked at before the first byte is obeyed.
"""

import io
import pickle
import pickletools
from typing import Any, NoReturn

from whyseg.schemas.errors import RefusedInput

MAX_BYTES = 2**28
_FRAMING = {"PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP"}
_NUMBERS = {"NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT"}
_TEXTS = {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_LISTS = {"EMPTY_LIST", "LIST", "APPEND", "APPENDS", "EMPTY_DICT", "DICT", "SETITEM", "SETITEMS"}
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
_MEMO = _PUTS | {"MEMOIZE", "GET", "BINGET", "LONG_BINGET"}
ALLOWED = _FRAMING | _NUMBERS | _TEXTS | _LISTS | _MEMO


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def read_plain_pickle(data: bytes, name: str) -> Any:
    """Return what a pickle of lists, dictionaries, numbers and texts holds, of any protocol and either Python.

    ``name``: what the file is called in refusals. Raises ``RefusedInput`` for a pickle that holds anything else, and
    for what is no pickle. What is returned may be nested deeply and hold itself.
    """
    if len(data) > MAX_BYTES:
        raise RefusedInput(name, f"{len(data)} bytes are over the limit of {MAX_BYTES} for a pickle")
    _require_plain(data, name)
    try:
        return _Unpickler(io.BytesIO(data)).load()
    except Exception as error:  # what a broken pickle raises depends on where it breaks
        raise _broken(name, error) from error


def _require_plain(data: bytes, name: str) -> None:
    ended = 0
    try:
        for opcode, argument, position in pickletools.genops(data):
            if opcode.name not in ALLOWED:
                raise RefusedInput(
                    name, f"only lists, dictionaries, numbers and texts are read of a pickle, got {opcode.name}"
                )
            if opcode.name in _PUTS and isinstance(argument, int) and not 0 <= argument <= len(data):
                raise RefusedInput(name, f"a pickle of {len(data)} bytes has no memo of {argument} entries")
            ended = (position or 0) + 1
    except (ValueError, OverflowError) as error:  # an unknown opcode, an argument that is cut off
        raise _broken(name, error) from error
    if ended != len(data):
        raise RefusedInput(name, f"{len(data) - ended} bytes follow the end of the pickle")


def _broken(name: str, error: Exception) -> RefusedInput:
    return RefusedInput(name, f"it is no sound pickle: {' '.join(str(error).split())[:200] or type(error).__name__}")
