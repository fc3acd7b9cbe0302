"""Streams of events: errors inside are seen, transfers are summed, results are kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from packager.engine import ContainerSpec
from packager.engine.failures import StreamError
from packager.engine.images import EngineImage
from packager.engine.streams import checked, follow_transfer
from packager.engine.upload import sending
from packager.progress import Event, Level, silent


def moved(layer: str, current: int, total: int) -> dict[str, Any]:
    return {"status": "Pushing", "id": layer, "progressDetail": {"current": current, "total": total}}


def test_an_error_in_the_stream_is_an_error() -> None:
    events: list[dict[str, Any]] = [
        {"status": "ok"},
        {"error": "short", "errorDetail": {"message": "the whole"}},
    ]
    with pytest.raises(StreamError, match="the whole"):
        list(checked(events))
    with pytest.raises(StreamError, match="short"):
        list(checked([{"error": "short"}]))


def test_a_transfer_is_summed_over_its_layers() -> None:
    told: list[Event] = []
    stream = [moved("a", 10, 100), moved("b", 20, 50), moved("a", 120, 100), {"status": "Pushed", "id": "a"}]
    result = follow_transfer([*stream, {"aux": {"Digest": "sha256:1"}}], "pushing", told.append)
    assert result == {"Digest": "sha256:1"}
    progress = [(event.done, event.total) for event in told if event.level is Level.PROGRESS]
    assert progress == [(10, 100), (30, 150), (120, 150)]
    assert [event.text for event in told if event.level is Level.DETAIL] == ["a Pushed"]


def test_our_own_failure_is_raised_in_place_of_the_broken_connection() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"one"
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"), sending(chunks(), "sending", silent) as upload:
        try:
            list(upload)
        except OSError as error:
            raise requests.ConnectionError("Connection aborted.") from error


def test_a_connection_that_the_engine_broke_stays_one() -> None:
    with pytest.raises(requests.ConnectionError), sending([b"one"], "sending", silent):
        raise requests.ConnectionError("Connection aborted.")


def test_sent_bytes_are_counted() -> None:
    told: list[Event] = []
    with sending([b"123", b"45"], "sending", told.append) as upload:
        assert b"".join(upload) == b"12345"
    assert [event.done for event in told] == [3, 5]


def test_an_image_without_settings_is_described() -> None:
    bare = {"Id": "sha256:1", "Os": "linux", "Architecture": "arm64", "Size": 5, "Config": None}
    image = EngineImage.from_inspection({**bare, "RepoTags": None, "RepoDigests": None})
    assert (image.platform, image.tags, image.labels, image.entrypoint) == ("linux/arm64", (), {}, ())


def test_an_image_s_settings_are_read() -> None:
    config = {
        "Env": ["PATH=/bin", "EMPTY=", "TWO=a=b", "NAMELESS"],
        "ExposedPorts": {"8501/tcp": {}, "8500/tcp": {}},
        "Entrypoint": ["/bin/sh"],
        "Labels": {"a": "b"},
        "User": "65532",
    }
    bare = {"Id": "sha256:1", "Os": "linux", "Architecture": "amd64", "Size": 5, "Config": config}
    image = EngineImage.from_inspection(bare)
    assert image.environment == {"PATH": "/bin", "EMPTY": "", "TWO": "a=b"}
    assert image.exposed_ports == (8500, 8501)
    assert (image.user, image.entrypoint, image.labels) == ("65532", ("/bin/sh",), {"a": "b"})


def test_a_host_port_needs_a_published_port() -> None:
    with pytest.raises(ValueError, match="8501"):
        ContainerSpec(image="a", ports=(8500,), host_ports={8501: 80})
