"""Which base is taken, and what is said where it is another than was hoped for."""

from __future__ import annotations

from pathlib import Path

import pytest

from packager.engine import EngineImage
from packager.errors import BaseUnavailableError, OutputError, UsageError
from packager.image.bases import EngineBase, _known_digest, choose_base
from packager.image.cache import Cache
from packager.progress import Event, Level, silent
from packager.values import ImageReference

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def installed_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests need none."""
    monkeypatch.setattr("packager.image.bases.tensorflow_version", lambda: "2.20.0")


class Source:
    """Supplies bases by name, and the official one or not."""

    def __init__(self, *, official: bool) -> None:
        self.official = official

    def named(self, reference: ImageReference, kind: str) -> str:
        if not self.official:
            raise BaseUnavailableError(f"the base image '{reference}' cannot be had")
        return f"{kind} {reference}"

    def embedded(self, origin: str) -> str:
        assert origin == "host"
        return "embedded"


@pytest.mark.parametrize(
    ("base", "official", "chosen"),
    [
        ("official", True, "official tensorflow/serving:2.19.1"),
        ("auto", True, "official tensorflow/serving:2.19.1"),
        ("auto", False, "embedded"),
        ("embedded", True, "embedded"),
        ("r.example.com/base:3", True, "custom r.example.com/base:3"),
    ],
)
def test_the_base_that_was_asked_for(base: str, official: bool, chosen: str) -> None:
    assert choose_base(base, "2.19.0", Source(official=official), silent) == chosen


@pytest.mark.parametrize("base", ["official", "r.example.com/base:3"])
def test_no_other_base_than_was_asked_for(base: str) -> None:
    with pytest.raises(BaseUnavailableError):
        choose_base(base, "2.19.0", Source(official=False), silent)


def test_auto_says_what_it_took() -> None:
    events: list[Event] = []
    choose_base("auto", "2.19.0", Source(official=False), events.append)
    (event,) = events
    assert event.level is Level.INFO
    assert event.text == (
        "the base image 'tensorflow/serving:2.19.1' cannot be had; building on packager's own runtime instead"
    )


def test_an_older_runtime_is_warned_of() -> None:
    events: list[Event] = []
    for exporter in (None, "2.19.0", "2.20.1"):
        choose_base("embedded", exporter, Source(official=True), events.append)
    assert events == []
    choose_base("embedded", "2.21.0", Source(official=True), events.append)
    (event,) = events
    assert event.level is Level.WARNING
    assert "TensorFlow 2.21.0 exported the model" in event.text
    assert "is of the older 2.20.0" in event.text


def test_what_is_no_reference_is_refused() -> None:
    with pytest.raises(UsageError, match="'No Base'"):
        choose_base("No Base", None, Source(official=True), silent)


def engine_image(*repo_digests: str) -> EngineImage:
    return EngineImage.from_inspection(
        {"Id": "sha256:1", "Os": "linux", "Architecture": "amd64", "Size": 1, "RepoDigests": repo_digests}
    )


@pytest.mark.parametrize(
    ("reference", "known"),
    [
        ("tensorflow/serving:2.20.0", DIGEST),
        ("docker.io/tensorflow/serving:2.20.0", DIGEST),
        ("r.example.com/tensorflow/serving:2.20.0", None),
        ("tensorflow/serving-gpu:2.20.0", None),
    ],
)
def test_a_digest_counts_for_its_own_repository(reference: str, known: str | None) -> None:
    image = engine_image("other/image@sha256:0", f"tensorflow/serving@{DIGEST}")
    assert _known_digest(image, ImageReference.parse(reference)) == known


def test_a_base_is_pinned_as_well_as_it_can_be() -> None:
    reference = ImageReference.parse("tensorflow/serving:2.20.0")
    pinned = EngineBase(kind="official", reference=reference, digest=DIGEST, image=engine_image())
    assert pinned.resolved == pinned.build_argument == f"tensorflow/serving@{DIGEST}"
    local = EngineBase(kind="official", reference=reference, digest=None, image=engine_image())
    assert (local.resolved, local.build_argument) == ("sha256:1", "tensorflow/serving:2.20.0")


def test_the_cache_lies_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PACKAGER_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Cache.default().folder == tmp_path / ".cache" / "tfserving-packager"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert Cache.default().folder == tmp_path / "xdg" / "tfserving-packager"
    monkeypatch.setenv("PACKAGER_CACHE", str(tmp_path / "named"))
    assert Cache.default().folder == tmp_path / "named"


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as caught:
        Cache(tmp_path / "file")
    assert "PACKAGER_CACHE" in str(caught.value.hint)
