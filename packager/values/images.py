"""Image references, and images that were built, verified or pushed."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path

from packager.errors import UsageError

_IMAGE_REFERENCE = re.compile(
    r"(?:(?P<domain>(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?)/)?"
    r"(?P<path>[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """A parsed image reference, ``[domain[:port]/]path[:tag][@digest]``.

    The grammar and the rule for telling a domain from a path (a dot, a colon, ``localhost`` or a
    capital letter makes it a domain) are those of github.com/distribution/reference.
    """

    domain: str | None
    path: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Parse ``text``, or raise UsageError."""
        head, slash, _ = text.partition("/")
        is_domain = bool(slash) and (
            "." in head or ":" in head or head == "localhost" or head != head.lower()
        )
        match = _IMAGE_REFERENCE.fullmatch(text if is_domain else f"placeholder.invalid/{text}")
        if not match or len(match["path"]) > 255:
            raise UsageError(
                f"invalid image reference {text!r}",
                hint="write [registry[:port]/]name[:tag], in lower case: registry.example.com/team/digits:1",
            )
        return cls(
            domain=head if is_domain else None, path=match["path"], tag=match["tag"], digest=match["digest"]
        )

    @property
    def repository(self) -> str:
        """The reference without tag and digest."""
        return f"{self.domain}/{self.path}" if self.domain else self.path

    @property
    def tag_or_latest(self) -> str:
        """The tag, ``latest`` where none was written."""
        return self.tag or "latest"

    def with_digest(self, digest: str) -> ImageReference:
        """Return the same repository, pinned to ``digest``."""
        return dataclasses.replace(self, tag=None, digest=digest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.repository}{tag}{digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An image that was built around one or more servable versions."""

    reference: ImageReference
    also: tuple[ImageReference, ...] = ()
    """Its further names."""
    image_id: str
    """Digest of the image's config, which engines call it by."""
    in_engine: bool
    """Whether the engine holds it under that reference."""
    digest: str | None
    """Digest of the manifest, where the image has one: in a layout, or in a registry."""
    layout: Path | None
    tarball: Path | None
    pushed: PushedImage | None = None
    """What the registry holds now, and further ones under its further names."""
    base: str
    """The base as it was resolved: a reference pinned by digest, or an image ID."""
    base_kind: str
    """``official``, ``embedded`` or ``custom``."""
    platform: str
    model_name: str
    """The model's name; of several, separated by commas."""
    versions: tuple[int, ...]
    size: int
    """Bytes, as the engine or the layout counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedImage:
    """An image that is, to the byte, what its model and base give."""

    reference: ImageReference
    image_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedImage:
    """An image in a registry, by the digest that the registry itself reports."""

    reference: ImageReference
    digest: str
    size: int | None = None
    also: tuple[PushedImage, ...] = ()
    """The same image under its further names."""

    @property
    def pinned(self) -> ImageReference:
        """The reference that can only ever mean these bytes."""
        return self.reference.with_digest(self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class BasePart:
    """One layer of the embedded base."""

    name: str
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedBase:
    """packager's own runtime as a base, and what its bytes are spent on."""

    reference: ImageReference
    image_id: str
    platform: str
    tensorflow: str
    parts: tuple[BasePart, ...]
    size: int
    packages: tuple[str, ...]
    """What it is made of, as package URLs."""
    in_engine: bool
