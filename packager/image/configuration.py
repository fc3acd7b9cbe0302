"""What an image serves: its versions, and the server's config files that lie beside them.

Formats: ``ModelServerConfig``, ``BatchingParameters`` and ``MonitoringConfig`` of TensorFlow Serving, as
protobuf text (github.com/tensorflow/serving, docs/serving_config.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from packager.errors import ImageNotFoundError, UsageError
from packager.image.settings import MODEL_BASE_PATH
from packager.image.tarball import Entry
from packager.values import LATEST, ServableVersion, ServingOptions

FOLDER = ".serving"
"""Below the base path; no model can be called that, and no server looks into it."""

_MODELS, _BATCHING, _MONITORING = "models.config", "batching.config", "monitoring.config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The versions in an image, ordered by model and number, and how they are served."""

    servables: tuple[ServableVersion, ...]
    options: ServingOptions = field(default_factory=ServingOptions)

    @property
    def models(self) -> tuple[str, ...]:
        """The models' names."""
        return tuple(dict.fromkeys(servable.name for servable in self.servables))

    @property
    def flags(self) -> tuple[str, ...]:
        """The server's flags that this content needs."""
        files = self._files()
        named = {
            _MODELS: ("--model_config_file", ()),
            _BATCHING: ("--batching_parameters_file", ("--enable_batching",)),
            _MONITORING: ("--monitoring_config_file", ()),
        }
        flags = [
            flag
            for name, (option, others) in named.items()
            if name in files
            for flag in (f"{option}={MODEL_BASE_PATH}/{FOLDER}/{name}", *others)
        ]
        labelled = ("--allow_version_labels_for_unavailable_models",) if self.options.labels else ()
        return (*flags, *labelled)

    def entries(self) -> list[Entry]:
        """Return the config files, at their paths in the image."""
        under = f"{MODEL_BASE_PATH.lstrip('/')}/{FOLDER}"
        return [Entry(path=f"{under}/{name}", content=text) for name, text in self._files().items()]

    def _files(self) -> dict[str, bytes]:
        options = self.options
        files = {}
        if len(self.models) > 1 or options.policy != LATEST or options.labels:
            files[_MODELS] = model_config(self).encode()
        if options.batching is not None:
            files[_BATCHING] = options.batching.read_bytes()
        if options.monitoring is not None:
            files[_MONITORING] = options.monitoring.read_bytes()
        return files


def checked_content(servables: Sequence[ServableVersion], options: ServingOptions) -> Content:
    """Return the content of an image; every version has to be a SavedModel, and there once.

    Raises UsageError or ImageNotFoundError.
    """
    if not servables:
        raise UsageError("no model version to build an image of", hint="packager build models/NAME --tag REF")
    ordered = tuple(sorted(servables, key=lambda servable: (servable.name, servable.version)))
    seen: set[tuple[str, int]] = set()
    for servable in ordered:
        if (servable.name, servable.version) in seen:
            raise UsageError(f"the same version of {servable.name!r} is named twice: {servable.version}")
        seen.add((servable.name, servable.version))
        if not (servable.path / "saved_model.pb").is_file():
            raise ImageNotFoundError(
                f"no SavedModel in '{servable.path}'", hint=f"packager convert FILE --name {servable.name}"
            )
    content = Content(servables=ordered, options=options)
    for label in options.labels:
        _check_label(label.model or content.models[0], label.version, label.name, content)
    for file in filter(None, (options.batching, options.monitoring)):
        if not file.is_file():
            raise UsageError(f"no such file: '{file}'", hint="name a file of protobuf text")
    return content


def model_config(content: Content) -> str:
    """Return the ModelServerConfig of the content, a line a field."""
    blocks = "".join(_model_block(content, name) for name in content.models)
    return f"model_config_list {{\n{blocks}}}\n"


def _model_block(content: Content, name: str) -> str:
    versions = [s.version for s in content.servables if s.name == name]
    lines = [
        f'name: "{name}"',
        f'base_path: "{MODEL_BASE_PATH}/{name}"',
        'model_platform: "tensorflow"',
        f"model_version_policy {{ {_policy(content.options.policy, versions)} }}",
    ]
    for label, version in _labels(content, name).items():
        lines.append(f'version_labels {{ key: "{label}" value: {version} }}')
    text = "".join(f"    {line}\n" for line in lines)
    return f"  config {{\n{text}  }}\n"


def _policy(policy: str, versions: Sequence[int]) -> str:
    if policy == LATEST:
        return "latest { num_versions: 1 }"
    if policy == "all":
        return "all {}"
    wanted = [version for version in versions if str(version) in policy.split(",")] or versions[-1:]
    return f"specific {{ {' '.join(f'versions: {version}' for version in wanted)} }}"


def _labels(content: Content, name: str) -> Mapping[str, int]:
    labels = content.options.labels
    return {label.name: label.version for label in labels if (label.model or content.models[0]) == name}


def _check_label(model: str, version: int, label: str, content: Content) -> None:
    if len(content.models) > 1 and model not in content.models:
        raise UsageError(
            f"no model {model!r} in the image, for the label {label!r}",
            hint=f"it has: {', '.join(content.models)}",
        )
    versions = [s.version for s in content.servables if s.name == model]
    if version not in versions:
        raise UsageError(
            f"the label {label!r} is for version {version} of {model!r}, which is not in the image",
            hint=f"it has: {', '.join(map(str, versions))}",
        )
    if content.options.policy == LATEST and version != versions[-1]:
        raise UsageError(
            f"the label {label!r} is for version {version} of {model!r}, and only the latest is served",
            hint="serve all of them: --version-policy all",
        )
