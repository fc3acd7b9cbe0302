from __future__ import annotations

from pathlib import Path

import pytest

from packager.errors import ImageNotFoundError, SmokeError, UsageError
from packager.smoketest import smoke_folder
from packager.smoketest.folder import choose, serving_only, versions_in


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of one model with the versions 1, 2 and 10, and with things that are none."""
    base = tmp_path / "models" / "m"
    for name in ("1", "2", "00010", "latest", "3.tmp", ".4"):
        (base / name).mkdir(parents=True)
        (base / name / "saved_model.pb").touch()
    (base / "5").touch()
    return base.parent


def test_versions_are_the_folders_named_by_whole_numbers(models: Path):
    versions = versions_in(models / "m")
    assert sorted(versions) == [1, 2, 10]
    assert versions[10].path == models / "m" / "00010"
    assert {servable.name for servable in versions.values()} == {"m"}


def test_the_model_is_named_by_its_folder_wherever_one_stands(models: Path, monkeypatch):
    monkeypatch.chdir(models / "m")
    assert versions_in(Path())[1].name == "m"


def test_the_highest_version_is_the_default():
    assert choose([1, 10, 2], None, target="t") == 10
    assert choose([1, 10, 2], 2, target="t") == 2


def test_a_version_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ImageNotFoundError, match="no version 3 in 't'") as caught:
        choose([1, 10, 2], 3, target="t")
    assert caught.value.hint == "it holds 1, 2, 10: --version 10"


@pytest.mark.parametrize(
    ("folder", "message", "hint"),
    [
        ("nowhere", "no model folder", "packager convert"),
        ("m/1/saved_model.pb", "no model folder", "packager convert"),
        ("m/1", "no versions", "packager smoke {models}/m"),
        (".", "no versions", "packager smoke {models}/m"),
        ("m/latest/empty", "no versions", "packager convert"),
    ],
)
def test_a_folder_that_is_no_model_s_says_what_to_type_instead(models: Path, folder, message, hint):
    (models / "m" / "latest" / "empty").mkdir()
    with pytest.raises(ImageNotFoundError, match=message) as caught:
        versions_in(models / folder)
    assert hint.format(models=models) in caught.value.hint


def test_a_name_that_no_server_can_serve_is_refused(tmp_path: Path):
    (tmp_path / "a b" / "1").mkdir(parents=True)
    with pytest.raises(UsageError, match="'a b'"):
        versions_in(tmp_path / "a b")


def test_the_highest_version_is_served_from_where_it_lies(models: Path):
    with serving_only(versions_in(models / "m")[10], highest=True) as base_path:
        assert base_path == models / "m"


def test_a_lower_version_is_served_alone(models: Path):
    with serving_only(versions_in(models / "m")[2], highest=False) as base_path:
        assert base_path.name == "m"
        assert [(p.name, p.resolve()) for p in base_path.iterdir()] == [("2", models / "m" / "2")]
    assert not base_path.parent.exists()
    assert (models / "m" / "2" / "saved_model.pb").exists()


def test_a_version_without_contract_says_so_before_anything_runs(models: Path):
    with pytest.raises(SmokeError, match=r"no contract in .*00010") as caught:
        smoke_folder(models / "m")
    assert "packager convert" in caught.value.hint
