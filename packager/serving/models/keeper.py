"""Loads the versions that are wanted and unloads those that are not, without a gap in between."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packager.serving.log import log
from packager.serving.models.states import State, Version, VersionStatus
from packager.serving.native.servable import Servable
from packager.serving.status import Code, StatusError, not_found

Load = Callable[[str, int, Path], Servable]
"""Loads a version of a model from its folder, or raises StatusError."""


class Keeper:
    """The versions of all models, each in its state.

    A version that is no longer wanted is unloaded once a wanted one is available, or none is wanted; so
    a new version that cannot be loaded leaves the old one serving. A version that failed is tried again
    only after it was unwanted in between. (``availability_preserving_policy.cc`` of TensorFlow Serving.)
    """

    def __init__(self, load: Load, *, threads: int, retries: int = 5, retry_seconds: float = 60.0) -> None:
        self._load = load
        self._retries = retries
        self._retry_seconds = retry_seconds
        self._changed = threading.Condition()
        self._managed: dict[str, dict[int, Version]] = {}
        self._told: dict[str, dict[int, VersionStatus]] = {}
        self._serving: dict[tuple[str, int | None], Servable] = {}
        self._loaders = ThreadPoolExecutor(threads, thread_name_prefix="load")
        self._unloaders = ThreadPoolExecutor(threads, thread_name_prefix="unload")

    def want(self, model: str, folders: Mapping[int, Path]) -> None:
        """Say which versions of a model should be loaded from now on; the first ones are loaded first."""
        with self._changed:
            managed = self._managed.setdefault(model, {})
            for number, version in list(managed.items()):
                version.wanted = number in folders
                if version.state is State.END and (version.error is None or not version.wanted):
                    del managed[number]
            for number, folder in folders.items():
                if number not in managed:
                    self._start(model, number, folder)
                elif managed[number].state is State.UNLOADING:
                    managed[number].folder = folder  # to be loaded once that is over
            self._unload_stale(model)
            self._changed.notify_all()

    def serving(self, model: str, version: int | None) -> Servable | None:
        """Return the servable that ``use`` would keep loaded now; it may be closed at any time."""
        return self._serving.get((model, version))

    def use(self, model: str, version: int | None) -> Servable:
        """Return a servable, loaded until the end of the ``with`` that it is for; or raise StatusError.

        No version means the highest that is available.
        """
        while True:
            servable = self._serving.get((model, version))
            if servable is None:
                asked = f"Latest({model})" if version is None else f"Specific({model}, {version})"
                raise not_found(f"Servable not found for request: {asked}")
            if servable.enter():
                return servable

    def statuses(self, model: str) -> list[VersionStatus]:
        """Return what is known of every version that the model ever had, the highest first."""
        with self._changed:
            told = self._told.get(model, {})
            return [told[number] for number in sorted(told, reverse=True)]

    def wait_until_decided(
        self,
        models: Iterable[str],
        *,
        seconds: float | None = None,
        given_up: Callable[[str], bool] = lambda model: False,  # noqa: ARG005
    ) -> list[Version]:
        """Wait until each model has an available version, or none that could become so, or is given up.

        Returns the highest version of each model that has none available. Raises StatusError when so many
        seconds are over.
        """
        names = list(models)
        with self._changed:
            if not self._changed.wait_for(
                lambda: all(given_up(name) or self._decided(name) for name in names), seconds
            ):
                raise StatusError(
                    Code.DEADLINE_EXCEEDED, f"no version to load was found in time: {', '.join(names)}"
                )
            newest = [self._newest(name) for name in names if not self._available(name)]
        return [version for version in newest if version]

    def _decided(self, model: str) -> bool:
        versions = self._wanted(model)
        if not versions or not all(version.settled for version in versions):
            return False
        failed = [version for version in versions if version.state is State.END and version.error]
        return self._available(model) or failed == versions

    def _available(self, model: str) -> bool:
        return any(version.state is State.AVAILABLE for version in self._wanted(model))

    def _newest(self, model: str) -> Version | None:
        return max(self._wanted(model), key=lambda version: version.number, default=None)

    def _wanted(self, model: str) -> list[Version]:
        """Return the versions that are wanted, not what is left of a model that was removed and is back."""
        return [version for version in self._managed.get(model, {}).values() if version.wanted]

    def _start(self, model: str, number: int, folder: Path) -> None:
        """Have a version loaded. The lock is held, here and in what follows."""
        version = self._managed[model][number] = Version(model=model, number=number, folder=folder)
        self._enter(version, State.START)
        self._loaders.submit(self._load_version, version)

    def _enter(self, version: Version, state: State) -> None:
        """Put a version into a state, and tell it."""
        version.state = state
        error = version.error if state is State.END else None
        told = VersionStatus(version=version.number, state=state, error=error)
        self._told.setdefault(version.model, {})[version.number] = told
        self._serving = self._available_servables()
        self._changed.notify_all()

    def _available_servables(self) -> dict[tuple[str, int | None], Servable]:
        serving: dict[tuple[str, int | None], Servable] = {}
        for model, versions in self._managed.items():
            for number in sorted(versions):
                version = versions[number]
                if version.state is State.AVAILABLE and version.servable:
                    serving[model, number] = serving[model, None] = version.servable
        return serving

    def _unload_stale(self, model: str) -> None:
        versions = self._managed.get(model, {})
        available = [v for _, v in sorted(versions.items()) if v.state is State.AVAILABLE]
        stale = [version for version in available if not version.wanted]
        replaced = len(stale) < len(available)
        none_wanted = not any(version.wanted for version in versions.values())
        for version in stale if replaced or none_wanted else stale[:-1]:
            log.info("Quiescing servable version %s", version)
            self._enter(version, State.UNLOADING)
            self._unloaders.submit(self._unload_version, version)

    def _load_version(self, version: Version) -> None:
        """Load, in a thread of its own, as often as it takes and is allowed."""
        while self._may_try(version):
            try:
                servable = self._load(version.model, version.number, version.folder)
            except StatusError as error:
                self._note_failure(version, error)
            except Exception as error:  # noqa: BLE001 - whatever it is, the version has failed
                log.exception("Loading servable: %s failed", version)
                self._note_failure(version, StatusError(Code.INTERNAL, f"{type(error).__name__}: {error}"))
            else:
                self._note_success(version, servable)
                return

    def _may_try(self, version: Version) -> bool:
        with self._changed:
            if version.state is State.END:
                return False
            if not version.wanted:
                version.error = version.error or StatusError(
                    Code.CANCELLED, "Load cancelled before we could try to load."
                )
                log.info("Load cancelled for servable: %s", version)
                self._enter(version, State.END)
                return False
            if version.failures:
                log.info("Retrying of Loading servable: %s retry: %d", version, version.failures)
            else:
                log.info("Successfully reserved resources to load servable %s", version)
                log.info("Approving load for servable version %s", version)
                log.info("Loading servable version %s", version)
                self._enter(version, State.LOADING)
            return True

    def _note_success(self, version: Version, servable: Servable) -> None:
        log.info("Successfully loaded servable version %s", version)
        with self._changed:
            version.servable = servable
            version.error = None
            self._enter(version, State.AVAILABLE)
            self._unload_stale(version.model)

    def _note_failure(self, version: Version, error: StatusError) -> None:
        log.error("Loading servable: %s failed: %s", version, error)
        with self._changed:
            version.error = error
            version.failures += 1
            if version.failures > self._retries:
                if self._retries:
                    log.info(
                        "Retrying of Loading servable: %s exhausted max_num_retries: %d",
                        version,
                        self._retries,
                    )
                log.error("Servable %s cannot be loaded: %s", version, error)
                self._enter(version, State.END)
                return
            self._changed.notify_all()
            if self._retry_seconds > 0:
                self._changed.wait_for(lambda: not version.wanted, self._retry_seconds)

    def _unload_version(self, version: Version) -> None:
        log.info("Unloading servable version %s", version)
        servable, version.servable = version.servable, None
        try:
            if servable:
                servable.close()
            log.info("Done unloading servable version %s", version)
        except StatusError as error:
            log.error("Servable %s cannot be unloaded: %s", version, error)
        with self._changed:
            self._enter(version, State.END)
            if version.wanted:  # again, since it began
                self._start(version.model, version.number, version.folder)
            self._unload_stale(version.model)
