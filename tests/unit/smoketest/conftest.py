"""Fixtures of the smoke test's own tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from model_server_stand_in import StandIn

from packager.contract import Sample


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    server = StandIn()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sample() -> Sample:
    """Two examples of a model with one input and one output."""
    return Sample(
        signature="serving_default",
        inputs={"x": np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)},
        outputs={"y": np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)},
    )
