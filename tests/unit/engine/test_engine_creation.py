"""What an interrupted request may yet create is removed once it is there."""

from __future__ import annotations

import time

import pytest
import requests
from docker.errors import APIError, NotFound

from packager.engine import creation
from packager.engine.creation import Creation


class Late:
    """Something that the engine makes only a while after it was asked."""

    def __init__(self, seconds: float) -> None:
        self._made = time.monotonic() + seconds
        self.removed = False

    def remove(self) -> None:
        if time.monotonic() < self._made:
            raise NotFound("not there")
        self.removed = True


def test_what_comes_after_an_interruption_is_removed():
    attempt, late = Creation(), Late(0.4)
    with pytest.raises(KeyboardInterrupt), attempt.asked():
        raise KeyboardInterrupt
    attempt.undo(late.remove)
    assert late.removed


def test_what_never_comes_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(creation, "PATIENCE", 0.3)
    attempt, never = Creation(), Late(60)
    with pytest.raises(KeyboardInterrupt), attempt.asked():
        raise KeyboardInterrupt
    attempt.undo(never.remove)
    assert not never.removed


def test_nothing_is_waited_for_where_the_engine_answered():
    attempt, never = Creation(), Late(60)
    with pytest.raises(APIError), attempt.asked():
        raise APIError("no space left on device", requests.Response())
    began = time.monotonic()
    attempt.undo(never.remove)
    assert time.monotonic() - began < creation.PATIENCE / 2
