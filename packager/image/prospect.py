"""Whether a base can be had, found out without fetching or making it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packager.errors import BaseUnavailableError, EngineUnavailableError, RegistryError
from packager.image.bases import EMBEDDED_HINT, choose_base
from packager.image.embedded import HOST, host_platform
from packager.image.embedded.parts import lower_parts, tensorflow_version, upper_parts
from packager.image.registry import Repository
from packager.progress import silent
from packager.values import ImageReference

if TYPE_CHECKING:
    from packager.engine import Engine


def describe_base(base: str, *, tensorflow: str | None = None) -> str:
    """Tell which base ``base`` leads to and where it would come from, or raise BaseUnavailableError.

    ``tensorflow`` is the version that exports the model, the installed one by default.
    """
    from packager.engine import connect  # what docker imports takes as long as the rest of the command

    try:
        engine = connect(timeout=10)
    except EngineUnavailableError:
        return choose_base(base, tensorflow or tensorflow_version(), _Prospects(engine=None), silent)
    try:
        return choose_base(base, tensorflow or tensorflow_version(), _Prospects(engine=engine), silent)
    finally:
        engine.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prospects:
    """Bases as sentences about them."""

    engine: Engine | None

    def named(self, reference: ImageReference, kind: str) -> str:
        """Look into the engine, then ask the registry."""
        if self.engine and self.engine.image(str(reference)):
            return f"{reference} ({kind}), in the engine already"
        repository = Repository(reference)
        try:
            repository.manifest(reference.digest or reference.tag_or_latest)
        except RegistryError as error:
            raise BaseUnavailableError(
                f"the base image {str(reference)!r} cannot be had: {error}", hint=EMBEDDED_HINT
            ) from error
        return f"{reference} ({kind}), from {repository.registry}"

    def embedded(self, origin: str) -> str:
        """See that all its parts are here."""
        if origin == HOST:
            lower_parts()
            upper_parts()
        return f"packager's own runtime (embedded) of TensorFlow {tensorflow_version()} for {host_platform()}"
