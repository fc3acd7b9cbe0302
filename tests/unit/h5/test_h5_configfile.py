"""An architecture in a file of its own: what compiled the model is no part of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from packager.errors import ModelFileError
from packager.h5.configfile import custom_classes, read_config_file


def test_a_loss_that_compiled_the_model_is_not_asked_for(tmp_path: Path) -> None:
    """``to_json()`` of Keras 3 tells it beside the architecture, and beside those of inner models."""
    compiled = {"loss": {"class_name": "function", "config": "my_loss", "registered_name": "my_loss"}}
    inner = {
        "class_name": "Sequential",
        "config": {"name": "inner", "layers": []},
        "compile_config": compiled,
    }
    model = {"class_name": "Sequential", "config": {"layers": [inner]}, "compile_config": compiled}
    (tmp_path / "model.json").write_text(json.dumps(model))
    config = read_config_file(tmp_path / "model.json")
    assert "my_loss" not in json.dumps(config)
    assert custom_classes(config) == ()
    assert config["config"]["layers"][0]["config"] == {"name": "inner", "layers": []}


def test_yaml_holds_what_json_can(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text("class_name: Sequential\nconfig: {name: 2017-03-01, layers: []}\n")
    assert read_config_file(path)["config"] == {"name": "2017-03-01", "layers": []}
    path.write_text("class_name: Sequential\nconfig: {name: !!binary aGk=, layers: []}\n")
    with pytest.raises(ModelFileError, match="is no architecture"):
        read_config_file(path)
