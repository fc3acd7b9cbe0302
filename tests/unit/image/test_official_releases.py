"""Which server serves what: the newest patch of the exporter's minor version, or of the next one."""

from __future__ import annotations

import pytest

from packager.image.official import newest_version, official_reference
from packager.progress import Event


@pytest.mark.parametrize(
    ("exporter", "tag", "told"),
    [
        ("2.20.0", "2.20.0", None),
        ("2.19.0", "2.19.1", None),
        ("2.18.1", "2.18.1", None),
        ("2.18.0", "2.18.1", None),
        ("2.17.1", "2.17.0", None),
        ("2.15.0", "2.17.0", None),
        ("2.20.0rc1", "2.20.0", None),
        ("2.21.0", "2.21.0", "no server for TensorFlow 2.21.0 is known yet: trying 2.21.0"),
        ("2.21.3", "2.21.0", "no server for TensorFlow 2.21.3 is known yet: trying 2.21.0"),
        (None, "2.20.0", "which TensorFlow exported the model is unknown: taking the newest server, 2.20.0"),
    ],
)
def test_the_server_is_at_least_as_new_as_the_exporter(
    exporter: str | None, tag: str, told: str | None
) -> None:
    events: list[Event] = []
    assert str(official_reference(exporter, events.append)) == f"tensorflow/serving:{tag}"
    assert [event.text for event in events] == ([told] if told else [])


def test_the_newest_exporter_decides() -> None:
    assert newest_version(["2.9.1", None, "2.18.0", "2.17.1"]) == "2.18.0"
    assert newest_version([None]) is None
