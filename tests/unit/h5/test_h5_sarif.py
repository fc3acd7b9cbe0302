"""Findings as SARIF 2.1.0: what a dashboard needs is there, and valid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from h5_files import DENSE, dense_model, layer, write_model

from packager import pipeline
from packager.errors import ModelFileError, OutputError
from packager.h5 import RULES

LEVELS = {"none", "note", "warning", "error"}


def written(path: Path, sarif: Path) -> dict[str, Any]:
    try:
        pipeline.inspect(path, sarif=sarif)
    except ModelFileError:
        assert sarif.is_file()
    log: dict[str, Any] = json.loads(sarif.read_text(encoding="utf-8"))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "packager"
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"]) == len(RULES)
    for rule in driver["rules"]:
        assert rule["shortDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in LEVELS
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in LEVELS
        assert result["message"]["text"]
        (location,) = result["locations"]
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert " " not in uri
        assert urlparse(uri).scheme in ("", "file")
        assert all(place["fullyQualifiedName"] for place in location["logicalLocations"])
    fingerprints = [json.dumps(result["partialFingerprints"]) for result in run["results"]]
    assert len(set(fingerprints)) == len(fingerprints)
    return dict(run)


def test_findings_with_their_places(tmp_path: Path) -> None:
    code = layer("Lambda", "odd one", function=["4wEA"], function_type="lambda")
    config = dense_model(code, layer("Block", "b"))
    path = write_model(tmp_path / "my model.h5", config, {"dense": DENSE}, version=None)
    run = written(path, tmp_path / "found.sarif")
    assert [(r["ruleId"], r["level"]) for r in run["results"]] == [
        ("KERAS-LAMBDA", "error"),
        ("KERAS-CUSTOM-OBJECT", "warning"),
        ("KERAS-VERSION", "warning"),
    ]
    (location,) = run["results"][0]["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"].endswith("/my%20model.h5")
    assert location["logicalLocations"] == [
        {"fullyQualifiedName": "model_config/config/layers/1/config/function", "name": "odd one"}
    ]
    assert run["invocations"] == [{"executionSuccessful": True}]
    assert run["artifacts"][0]["length"] == path.stat().st_size


def test_a_harmless_file_has_no_results(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.h5", dense_model(), {"dense": DENSE})
    assert written(path, tmp_path / "found.sarif")["results"] == []


def test_a_file_that_is_none_is_told_as_well(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_text("<!doctype html>")
    run = written(tmp_path / "model.h5", tmp_path / "found.sarif")
    (invocation,) = run["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 10)
    (notification,) = invocation["toolExecutionNotifications"]
    assert "is an HTML page" in notification["message"]["text"]


def test_a_relative_path_stays_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "ein modell ö.h5", dense_model(), {"dense": DENSE}, version=None)
    monkeypatch.chdir(tmp_path)
    run = written(Path("ein modell ö.h5"), Path("found.sarif"))
    assert run["artifacts"][0]["location"] == {"uri": "ein%20modell%20%C3%B6.h5"}


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.h5", dense_model(), {"dense": DENSE})
    with pytest.raises(OutputError, match="no such file or directory"):
        pipeline.inspect(path, sarif=tmp_path / "absent" / "found.sarif")
