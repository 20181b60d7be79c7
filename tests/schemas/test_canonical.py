import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyseg.schemas import canonical_json, content_hash

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
plain = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(plain)
def test_what_is_read_back_has_the_same_text_and_hash(data: object) -> None:
    try:
        text = canonical_json(data)
        text.encode()
    except UnicodeEncodeError:
        return  # a lone surrogate is no Unicode text; records refuse it
    assert canonical_json(json.loads(text)) == text
    assert content_hash(json.loads(text)) == content_hash(data)


def test_the_order_of_keys_does_not_matter() -> None:
    assert canonical_json({"b": 1, "a": {"d": 1, "c": 2}}) == '{"a":{"c":2,"d":1},"b":1}'
    assert canonical_json({"a": {"c": 2, "d": 1}, "b": 1}) == canonical_json({"b": 1, "a": {"d": 1, "c": 2}})


def test_the_hash_is_that_of_the_utf8_bytes() -> None:
    # printf '{"a":"é"}' | sha256sum
    assert content_hash({"a": "é"}) == "sha256:b3a092a6af48807fa9482b2ee140105575daa26d5b24b3c0e60a7e2dee6683b1"


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(float("nan"))
    with pytest.raises(TypeError):
        canonical_json({1, 2})


def test_another_process_computes_the_same_hash() -> None:
    data = {"query": "what keeps the drink warm?", "scores": [0.1, 1e-9, 3]}
    code = f"from whyseg.schemas import content_hash; print(content_hash({data!r}))"
    environment = {"PYTHONHASHSEED": "1", "PATH": ""}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert other.stdout.strip() == content_hash(data)
