from __future__ import annotations

import pytest

from packager.cli.options import parse_gpus, parse_latencies, parse_size
from packager.errors import UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [("512MB", 512_000_000), ("2g", 2_000_000_000), ("1.5 GiB", 1.5 * 2**30), ("64", 64), ("3kB", 3000)],
)
def test_sizes_are_read(text, size):
    assert parse_size(text, "--memory") == size


@pytest.mark.parametrize("text", ["", "MB", "12 apples", "-1MB", "1e9"])
def test_sizes_that_are_none_are_refused(text):
    with pytest.raises(UsageError, match="--memory"):
        parse_size(text, "--memory")


def test_latency_limits_are_read_in_milliseconds():
    assert parse_latencies(["p99=50ms", "p99.9=1.5s"], "--max-latency") == ((99, 50), (99.9, 1500))


@pytest.mark.parametrize("text", ["50ms", "p99", "p99=50", "99=50ms"])
def test_latency_limits_that_are_none_are_refused(text):
    with pytest.raises(UsageError, match="--max-latency"):
        parse_latencies([text], "--max-latency")


def test_gpus_are_all_or_a_number():
    assert (parse_gpus(None), parse_gpus("all"), parse_gpus("2")) == (None, -1, 2)
    for wrong in ("some", "0", "-1"):
        with pytest.raises(UsageError):
            parse_gpus(wrong)
