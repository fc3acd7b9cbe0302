"""What an image holds: versions of one model or several, layers that suit releases, and the config files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from packager.errors import ImageNotFoundError, UsageError
from packager.image.configuration import Content, checked_content, model_config
from packager.image.context import layer_entries
from packager.image.description import model_layers
from packager.progress import silent
from packager.serving.models.config import read_model_config
from packager.serving.models.policies import All, Latest, Specific
from packager.values import SERVER_DEFAULTS, ServableVersion, ServingOptions, VersionLabel

WEIGHTS = 1 << 20


def servable(root: Path, name: str = "digits", version: int = 1, weights: bytes = b"") -> ServableVersion:
    path = root / name / str(version)
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(b"graph %d" % version)
    (path / "variables" / "variables.data-00000-of-00001").write_bytes(weights or b"few")
    return ServableVersion(name=name, version=version, path=path)


def content(*servables: ServableVersion, **options: object) -> Content:
    return checked_content(servables, ServingOptions(**options))  # type: ignore[arg-type]


def test_versions_that_cannot_be_in_one_image(tmp_path: Path) -> None:
    one = servable(tmp_path)
    with pytest.raises(UsageError, match="no model version"):
        checked_content([], SERVER_DEFAULTS)
    with pytest.raises(UsageError, match="named twice"):
        checked_content([one, one], SERVER_DEFAULTS)
    (one.path / "saved_model.pb").unlink()
    with pytest.raises(ImageNotFoundError, match=r"no SavedModel in '.*/digits/1'"):
        checked_content([one], SERVER_DEFAULTS)


def test_one_model_needs_no_config_file(tmp_path: Path) -> None:
    found = content(servable(tmp_path))
    assert found.flags == ()
    assert found.entries() == []


def test_the_server_reads_the_config_of_several_models(tmp_path: Path) -> None:
    versions = [servable(tmp_path, "letters", 3), *(servable(tmp_path, "digits", n) for n in (1, 2))]
    found = content(
        *versions,
        policy="all",
        labels=(VersionLabel.parse("digits/stable=1"), VersionLabel.parse("letters/new=3")),
    )
    assert found.models == ("digits", "letters")
    assert found.flags == (
        "--model_config_file=/models/.serving/models.config",
        "--allow_version_labels_for_unavailable_models",
    )
    file = tmp_path / "models.config"
    file.write_text(model_config(found))
    digits, letters = read_model_config(str(file))
    assert (digits.name, digits.base_path, digits.labels) == ("digits", "/models/digits", {"stable": 1})
    assert (letters.name, letters.labels) == ("letters", {"new": 3})
    assert isinstance(digits.policy, All)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("latest", Latest()), ("1,2", Specific(frozenset({1, 2}))), ("7", Specific(frozenset({2})))],
)
def test_version_policies(tmp_path: Path, policy: str, expected: object) -> None:
    versions = [servable(tmp_path, "digits", n) for n in (1, 2)]
    file = tmp_path / "models.config"
    file.write_text(model_config(content(*versions, policy=policy)))
    (config,) = read_model_config(str(file))
    assert config.policy == expected


def test_config_files_lie_in_the_image(tmp_path: Path) -> None:
    batching = tmp_path / "batching.config"
    batching.write_text("max_batch_size { value: 32 }")
    found = content(servable(tmp_path), batching=batching)
    assert found.flags == (
        "--batching_parameters_file=/models/.serving/batching.config",
        "--enable_batching",
    )
    (entry,) = found.entries()
    assert (entry.path, entry.content) == ("models/.serving/batching.config", batching.read_bytes())
    with pytest.raises(UsageError, match="no such file"):
        content(servable(tmp_path, "other"), monitoring=tmp_path / "absent")


@pytest.mark.parametrize(
    ("label", "policy", "message"),
    [
        ("stable=9", "all", "version 9 of 'digits', which is not in the image"),
        ("stable=1", "latest", "only the latest is served"),
    ],
)
def test_labels_of_what_is_not_served(tmp_path: Path, label: str, policy: str, message: str) -> None:
    versions = [servable(tmp_path, "digits", n) for n in (1, 2)]
    with pytest.raises(UsageError, match=message):
        content(*versions, policy=policy, labels=(VersionLabel.parse(label),))


@pytest.mark.parametrize("text", ["stable", "=1", "a/b/c=1", "stable=x"])
def test_labels_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="invalid --version-label"):
        VersionLabel.parse(text)


def test_the_same_weights_are_the_same_layer_for_every_version(tmp_path: Path) -> None:
    weights = os.urandom(WEIGHTS)
    old, new = servable(tmp_path, version=1, weights=weights), servable(tmp_path, version=2, weights=weights)
    before = model_layers(content(old), silent)
    after = model_layers(content(new), silent)
    assert before.layers[0] == after.layers[0]
    assert before.layers[1] != after.layers[1]
    both = model_layers(content(old, new), silent)
    assert len(both.layers) == 2, "once for both versions"
    assert both.layers[0] == before.layers[0]


def test_every_big_shard_of_weights_is_a_layer(tmp_path: Path) -> None:
    one = servable(tmp_path, weights=os.urandom(WEIGHTS))
    (one.path / "variables" / "variables.data-00001-of-00002").write_bytes(os.urandom(WEIGHTS))
    names = [name.split()[0] for name, _ in layer_entries(content(one), silent)]
    assert names == ["weights", "weights", "graphs,"]


def test_links_lead_to_the_weights(tmp_path: Path) -> None:
    one = servable(tmp_path, weights=os.urandom(WEIGHTS))
    (_, weights), (_, rest) = layer_entries(content(one), silent)
    (link,) = [entry for entry in rest if entry.link is not None]
    assert link.path == "models/digits/1/variables/variables.data-00000-of-00001"
    assert os.path.normpath(f"{Path(link.path).parent}/{link.link}") == weights[-1].path
