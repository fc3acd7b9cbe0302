"""How registries are reached, where that is not what docker's config tells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from packager.errors import UsageError
from packager.values.images import ImageReference

DOCKER_HUB = "docker.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """What was given for certain registries, and for those alone: no other one gets to see a password."""

    registries: frozenset[str] = frozenset()
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_certificate: Path | None = None
    """Whom to trust instead of the system's authorities."""
    plain_http: bool = False
    """Whether to do without encryption; on loopback that is always done."""

    def __post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            raise UsageError(
                "a user name and a password go together",
                hint="echo $TOKEN | packager push REF --username NAME --password-stdin",
            )
        if self.username is not None and len(self.registries) > 1:
            raise UsageError(
                f"one password for several registries: {', '.join(sorted(self.registries))}",
                hint="log in to each of them: docker login REGISTRY",
            )
        if self.ca_certificate is not None and not self.ca_certificate.is_file():
            raise UsageError(
                f"no such file: '{self.ca_certificate}'", hint="--ca-cert FILE, certificates in PEM format"
            )

    def about(self, references: Iterable[ImageReference]) -> RegistryAccess:
        """Return the same for the registries of ``references``."""
        return RegistryAccess(
            registries=frozenset(registry_of(reference) for reference in references),
            username=self.username,
            password=self.password,
            ca_certificate=self.ca_certificate,
            plain_http=self.plain_http,
        )


def registry_of(reference: ImageReference) -> str:
    """Return the registry that a reference leads to; names without one are of Docker Hub."""
    return DOCKER_HUB if reference.domain in (None, "index.docker.io") else str(reference.domain)


AS_DOCKER_DOES = RegistryAccess()
"""Credentials of ``docker login``, the system's authorities, https everywhere but on loopback."""
