"""Version folders: which children of a base path are versions."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from packager.serving.models.config import ModelConfig
from packager.serving.models.folders import wanted_versions
from packager.serving.models.policies import All, Specific
from packager.serving.status import StatusError


def model(base_path: Path | str, policy: object = All()) -> ModelConfig:
    return ModelConfig(name="m", base_path=str(base_path), policy=policy)  # type: ignore[arg-type]


def test_names_that_are_numbers_are_versions(tmp_path: Path) -> None:
    for name in ("1", "00000123", "-4", "+5", "0x6", "7a", "x", "9" * 30, ".8", "assets"):
        (tmp_path / name).mkdir()
    assert wanted_versions(model(tmp_path)) == {
        123: tmp_path / "00000123", 1: tmp_path / "1", -4: tmp_path / "-4",
    }  # fmt: skip


def test_of_two_folders_for_a_version_one_is_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("1", "001"):
        (tmp_path / name).mkdir()
    with caplog.at_level(logging.WARNING):
        assert wanted_versions(model(tmp_path)) == {1: tmp_path / "1"}
    assert (
        "Duplicate version directories detected. Version 1 will be loaded from 1, 001 will be ignored."
        in (caplog.text)
    )


def test_no_version_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert wanted_versions(model(tmp_path)) == {}
    assert (
        f"No versions of servable m found under base path {tmp_path}. "
        "Did you forget to name your leaf directory as a number (eg. '/1/')?"
    ) in caplog.text


def test_a_specific_version_that_is_missing_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "1").mkdir()
    assert wanted_versions(model(tmp_path, Specific(frozenset((1, 2))))) == {1: tmp_path / "1"}
    assert "Version 2 of servable m, which was requested to be served as a 'specific' version" in caplog.text


def test_a_missing_base_path_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "none"
    with pytest.raises(StatusError) as caught:
        wanted_versions(model(path))
    assert caught.value.message == (
        f"Could not find base path {path} for servable m with error NOT_FOUND: {path} not found"
    )


@pytest.mark.parametrize(
    ("path", "reason"),
    [("gs://bucket/m", "UNIMPLEMENTED: File system scheme 'gs'"), ("/dev/null", "UNKNOWN")],
)
def test_a_base_path_that_is_no_folder_here_is_an_error(path: str, reason: str) -> None:
    with pytest.raises(StatusError, match=f"for servable m with error {reason}"):
        wanted_versions(model(path))


def test_a_base_path_may_be_the_uri_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    assert wanted_versions(model(f"file://{tmp_path}")) == {7: tmp_path / "7"}
