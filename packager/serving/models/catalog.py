"""The models that are configured: their folders are watched, their labels kept, their versions found."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packager.serving.log import log
from packager.serving.models.config import ModelConfig, check_models
from packager.serving.models.folders import wanted_versions
from packager.serving.models.keeper import Keeper
from packager.serving.models.states import State, Version, VersionStatus
from packager.serving.native.servable import Servable
from packager.serving.status import (
    Code,
    StatusError,
    failed_precondition,
    invalid_argument,
    not_found,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """Which model a request is for: by name, and by version or label or neither."""

    name: str
    version: int | None = None
    label: str | None = None


class Catalog:
    """All models of the server."""

    def __init__(self, keeper: Keeper, *, poll_seconds: float, labels_need_available: bool = True) -> None:
        self._keeper = keeper
        self._poll_seconds = poll_seconds
        self._labels_need_available = labels_need_available
        self._models: dict[str, ModelConfig] = {}
        self._configured = False
        self._labels: Mapping[str, Mapping[str, int]] = {}
        self._reloading = threading.Lock()
        self._polling = threading.Lock()
        self._wake = threading.Event()
        self._watcher: threading.Thread | None = None
        self._closed = False

    def reload(self, models: Sequence[ModelConfig] | None, *, seconds: float | None = None) -> None:
        """Serve ``models`` from now on, and wait until each new one is available, for so long at most.

        ``None`` is a configuration that says nothing, which may only be the first one: models may follow.
        Raises StatusError, before anything changes, if the configuration cannot be right; or afterwards, if a
        new model has no version that can be loaded.
        """
        with self._reloading:
            if models is None:
                self._take_nothing()
                return
            check_models(models)
            labels = {model.name: self._checked_labels(model) for model in models}
            first, self._configured = not self._configured, True
            new = [model.name for model in models if model.name not in self._models]
            self._replace(models, labels)
            self._poll_soon()
        # Others may reload meanwhile: a model whose folder never comes must not be the last one configured
        failed = self._keeper.wait_until_decided(
            new, seconds=seconds, given_up=lambda name: name not in self._models
        )
        if failed:
            raise _not_available("servable(s)" if first else "model(s)", failed)
        if given_up := [name for name in new if name not in self._models]:
            raise StatusError(Code.ABORTED, f"removed before they were available: {', '.join(given_up)}")
        log.info("Finished adding/updating models")

    def has(self, models: Sequence[ModelConfig] | None) -> bool:
        """Tell whether these are the models that are served now, as they are configured."""
        return models is not None and self._configured and list(self._models.values()) == list(models)

    def _take_nothing(self) -> None:
        if self._configured:
            raise failed_precondition(
                "Cannot transition to requested config. It is only legal to transition "
                "from one ModelConfigList to another."
            )
        log.info("Taking no action for empty config.")

    def _replace(self, models: Sequence[ModelConfig], labels: Mapping[str, Mapping[str, int]]) -> None:
        log.info("Adding/updating models.")
        for model in models:
            log.info(" (Re-)adding model: %s", model.name)
        with self._polling:
            removed = self._models.keys() - {model.name for model in models}
            self._models = {model.name: model for model in models}
            self._labels = labels
            for name in removed:
                self._keeper.want(name, {})

    def use(self, spec: ModelSpec) -> Servable:
        """Return what a request is for: loaded until the end of a ``with``; or raise StatusError."""
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        version = self._labelled(spec.name, spec.label) if spec.label is not None else spec.version
        return self._keeper.use(spec.name, version)

    def is_quick(self, spec: ModelSpec) -> bool:
        """Tell whether what a request is for, where it is loaded, may be expected to answer at once."""
        if spec.label is not None:
            return False
        servable = self._keeper.serving(spec.name, spec.version)
        return servable is not None and servable.session.quick

    def names(self) -> list[str]:
        """Return the names of all models, loaded or not."""
        return sorted(self._models)

    def statuses(self, name: str, version: int | None = None) -> list[VersionStatus]:
        """Return the state of one version, or of all that the model ever had; raise StatusError if none."""
        statuses = self._keeper.statuses(name)
        if version is None:
            if not statuses:
                raise not_found(f"Could not find any versions of model {name}")
            return statuses
        found = [status for status in statuses if status.version == version]
        if not found:
            raise not_found(f"Could not find version {version} of model {name}")
        return found

    def close(self) -> None:
        """Look at folders no more: what is loaded stays so."""
        self._closed = True
        self._wake.set()

    def _labelled(self, name: str, label: str) -> int:
        version = self._labels.get(name, {}).get(label)
        if version is None:
            raise invalid_argument(f"Unrecognized servable version label: {label}")
        return version

    def _checked_labels(self, model: ModelConfig) -> Mapping[str, int]:
        available = {s.version for s in self._keeper.statuses(model.name) if s.state is State.AVAILABLE}
        for label, version in model.labels.items():
            moved = self._labels.get(model.name, {}).get(label, version) != version
            if version not in available and (self._labels_need_available or moved):
                raise failed_precondition(
                    f"Request to assign label to version {version} of model {model.name}, "
                    "which is not currently available for inference"
                )
        return dict(model.labels)

    def _poll_soon(self) -> None:
        self._wake.set()
        if self._watcher is None and self._poll_seconds >= 0:
            self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)
            self._watcher.start()

    def _watch(self) -> None:
        while not self._closed:
            self._wake.wait(self._poll_seconds or None)
            self._wake.clear()
            for name in list(self._models):
                self._poll(name)

    def _poll(self, name: str) -> None:
        with self._polling:
            if self._closed or (model := self._models.get(name)) is None:
                return
            try:
                self._keeper.want(name, wanted_versions(model))
            except StatusError as error:
                log.error(
                    "FileSystemStoragePathSource encountered a filesystem access error: %s", error.message
                )


def _not_available(kind: str, failed: Sequence[Version]) -> StatusError:
    reasons = "".join(f"{{{version} due to error: {version.error}}}, " for version in failed)
    return StatusError(Code.UNKNOWN, f"{len(failed)} {kind} did not become available: {{{reasons}}}")
