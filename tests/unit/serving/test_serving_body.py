"""Bodies come out as they came in, however large, and whatever was said of their size."""

from __future__ import annotations

import random

import pytest

from packager.serving.rest import body
from packager.serving.rest.body import Body


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 1000])
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("part", [1, 7, 30, 1000])
def test_the_whole_is_all_parts_in_order(
    monkeypatch: pytest.MonkeyPatch, size: int, told: bool, part: int
) -> None:
    monkeypatch.setattr(body, "IN_PLACE_BYTES", 100)
    sent = random.Random(size).randbytes(size)
    received = Body()
    received.expected = size if told else 0
    for start in range(0, size, part):
        received.add(sent[start : start + part])
        assert received.size == min(start + part, size)
    assert received.whole() == sent


def test_room_for_a_large_body_is_made_when_some_of_it_is_there() -> None:
    received = Body()
    received.expected = body.IN_PLACE_BYTES
    received.add(bytes(body.IN_PLACE_BYTES // 4 - 1))
    assert received._file is None
    received.add(b"1")
    assert received._file is not None
    received.add(bytes(body.IN_PLACE_BYTES - received.size))
    assert received.whole() is received.whole()
