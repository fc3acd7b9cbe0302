"""Model configuration: what the text file may say, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from packager.protocol import message
from packager.serving.models.config import (
    ModelConfig,
    check_models,
    read_metrics_path,
    read_model_config,
)
from packager.serving.models.policies import All, Latest, Specific
from packager.serving.status import Code, StatusError


def read(tmp_path: Path, text: str) -> tuple[ModelConfig, ...] | None:
    path = tmp_path / "models.conf"
    path.write_text(text)
    return read_model_config(str(path))


def config(fields: str) -> str:
    return f'model_config_list {{ config {{ name: "m" base_path: "/m" {fields} }} }}'


def test_a_full_file(tmp_path: Path) -> None:
    assert read(
        tmp_path,
        """
        # two models
        model_config_list {
          config {
            name: "a", base_path: '/models/a'
            model_platform: "tensorflow"
            model_version_policy { specific { versions: 1 versions: 3 } }
            version_labels { key: "stable" value: 1 }
            version_labels { key: "canary" value: 3 }
            logging_config { sampling_config { sampling_rate: 0.1 } }
          }
          config { name: "b" base_path: "/models/b" model_platform: "tensorflow" }
        }
        """,
    ) == (
        ModelConfig(
            name="a",
            base_path="/models/a",
            policy=Specific(frozenset((1, 3))),
            labels={"stable": 1, "canary": 3},
        ),
        ModelConfig(name="b", base_path="/models/b"),
    )


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", Latest()),
        ("model_version_policy { latest {} }", Latest(1)),
        ("model_version_policy { latest { num_versions: 2 } }", Latest(2)),
        ("model_version_policy { all {} }", All()),
    ],
)
def test_policies(tmp_path: Path, policy: str, expected: object) -> None:
    [model] = read(tmp_path, config(f'model_platform: "tensorflow" {policy}'))
    assert model.policy == expected


@pytest.mark.parametrize(
    ("policy", "chosen"),
    [
        (Latest(), [9]),
        (Latest(2), [9, 5]),
        (All(), [9, 5, 1]),
        (Specific(frozenset((1, 5, 7))), [5, 1]),
    ],
)
def test_policies_choose_the_highest_first(policy: Latest | All | Specific, chosen: list[int]) -> None:
    assert policy.choose([5, 9, 1]) == chosen
    assert policy.choose([]) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model_config_list {", "Invalid protobuf file: '"),
        ("nonsense: 1", "Invalid protobuf file: '"),
        (config(""), "Illegal setting neither ModelServerConfig::model_type"),
        (config('model_platform: "caffe"'), "Model m requests unsupported platform caffe"),
        (config("model_type: OTHER"), "ModelServerConfig::model_type choice 2 not supported."),
        (config('model_type: TENSORFLOW model_platform: "tensorflow"'), "Illegal setting both"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(StatusError) as caught:
        read(tmp_path, text)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert words in caught.value.message


def test_the_deprecated_type_still_counts(tmp_path: Path) -> None:
    [model] = read(tmp_path, config("model_type: TENSORFLOW"))
    assert model.name == "m"


def test_custom_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StatusError, match="does not yet support custom model config"):
        read(tmp_path, "custom_model_config { }")


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(StatusError) as caught:
        read_model_config(str(tmp_path / "none"))
    assert str(caught.value) == f"NOT_FOUND: {tmp_path}/none; No such file or directory"


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ([("m", "/a"), ("m", "/b")], "Illegal to list model m multiple times in config list"),
        ([("m", "m")], "Expected model m to have an absolute path or URI; got base_path()=m"),
    ],
)
def test_models_that_cannot_be_served(models: list[tuple[str, str]], words: str) -> None:
    with pytest.raises(StatusError) as caught:
        check_models(ModelConfig(name=name, base_path=path) for name, path in models)
    assert str(caught.value) == f"INVALID_ARGUMENT: {words}"


def test_a_uri_is_no_relative_path() -> None:
    check_models([ModelConfig(name="m", base_path="gs://bucket/m")])


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ('prometheus_config { enable: true path: "/metrics" }', "/metrics"),
        ("prometheus_config { }", None),
        ("", None),
    ],
)
def test_the_metrics_page(tmp_path: Path, text: str, path: str | None) -> None:
    (tmp_path / "monitoring.conf").write_text(text)
    assert read_metrics_path(str(tmp_path / "monitoring.conf")) == path


def test_messages_have_the_wire_format_of_tensorflow_serving() -> None:
    sent = message("ModelServerConfig")()
    model = sent.model_config_list.config.add(name="m", base_path="/m", model_platform="tensorflow")
    model.version_labels["stable"] = 1
    model.model_version_policy.specific.versions.append(1)
    policy = b":\x06\xb2\x06\x03\n\x01\x01"  # field 7, in it 102, in it 1, packed
    label = b"B\n\n\x06stable\x10\x01"  # field 8, a map entry
    config = b"\n\x01m" + b"\x12\x02/m" + b'"\ntensorflow' + policy + label  # fields 1, 2 and 4
    listed = b"\n" + bytes((len(config),)) + config
    assert sent.SerializeToString(deterministic=True) == b"\n" + bytes((len(listed),)) + listed


def test_a_file_that_says_nothing_configures_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "# models will follow") is None
    assert read(tmp_path, "model_config_list {}") == ()
