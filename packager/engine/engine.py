"""The engine's verbs on images, and the one way to a container."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial

from docker import APIClient
from docker.errors import ImageNotFound, NotFound

from packager.engine.building import run_build
from packager.engine.containers import Container, ContainerSpec, created_container
from packager.engine.failures import image_missing, pull_failure, push_failure, translated
from packager.engine.images import EngineImage
from packager.engine.networks import created_network
from packager.engine.streams import checked, follow_transfer
from packager.engine.upload import sending
from packager.errors import UsageError
from packager.progress import Report, silent
from packager.values import ImageReference, PushedImage

_CHUNK = 1 << 20


class Engine:
    """A container engine that answers. Its methods raise the errors of packager.errors only."""

    def __init__(self, client: APIClient, *, version: str, platform: str) -> None:
        self._client = client
        self.version = version
        self.platform = platform
        """What its containers run on: ``linux/amd64``."""

    def image(self, reference: str) -> EngineImage | None:
        """Return the image so named (a reference or an ID), ``None`` where the engine has none."""
        with translated(f"looking for the image {reference!r}"):
            try:
                return EngineImage.from_inspection(self._client.inspect_image(reference))
            except ImageNotFound:
                return None

    def pull(self, reference: ImageReference, *, report: Report = silent) -> EngineImage:
        """Pull ``reference``, or raise BaseUnavailableError."""
        doing = f"pulling {reference}"
        with translated(doing, explain=partial(pull_failure, reference)):
            events = self._client.pull(
                reference.repository,
                tag=reference.digest or reference.tag_or_latest,
                stream=True,
                decode=True,
            )
            follow_transfer(events, doing, report)
        return self._present(str(reference))

    def load(self, archive: Iterable[bytes], *, report: Report = silent) -> None:
        """Load the images of a docker archive, a tar stream."""
        doing = "loading the image"
        with translated(doing), sending(archive, doing, report) as upload:
            for _ in checked(self._client.load_image(upload, quiet=True)):
                pass

    def save(self, reference: str) -> Iterator[bytes]:
        """Yield the image as a docker archive, a tar stream."""
        with translated(f"reading the image {reference!r}"):
            try:
                yield from self._client.get_image(reference, chunk_size=_CHUNK)
            except NotFound:
                raise image_missing(reference) from None

    def build(
        self,
        context: Iterable[bytes],
        *,
        tag: ImageReference,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
        platform: str | None = None,
        report: Report = silent,
    ) -> EngineImage:
        """Build the context, a tar stream with a ``Dockerfile`` in it, and tag the image ``tag``.

        Raises BuildError. A build that fails or is interrupted leaves neither containers nor images.
        """
        image_id = run_build(
            self._client,
            context,
            tag=tag,
            arguments=arguments,
            labels=labels,
            platform=platform,
            report=report,
        )
        return self._present(image_id)

    def push(
        self,
        reference: ImageReference,
        *,
        credentials: tuple[str | None, str | None] = (None, None),
        report: Report = silent,
    ) -> PushedImage:
        """Push ``reference``, and return the digest that the registry answered with.

        ``credentials`` are a user name and a password, those of ``docker login`` by default.

        Raises RegistryUnreachableError, RegistryAuthError, RegistryError or ImageNotFoundError.
        """
        if reference.digest:
            raise UsageError(
                f"a digest cannot be pushed, only a tag: {str(reference)!r}",
                hint=f"packager push {reference.repository}:{reference.tag_or_latest}",
            )
        if self.image(str(reference)) is None:
            raise image_missing(str(reference))
        doing = f"pushing {reference}"
        username, password = credentials
        given = {"username": username, "password": password} if username and password else None
        with translated(doing, explain=partial(push_failure, reference)):
            events = self._client.push(
                reference.repository,
                tag=reference.tag_or_latest,
                stream=True,
                decode=True,
                auth_config=given,
            )
            pushed = follow_transfer(events, doing, report)
        if "Digest" not in pushed:
            raise push_failure(reference, "the engine reported no digest")
        return PushedImage(reference=reference, digest=pushed["Digest"])

    def container(self, spec: ContainerSpec) -> AbstractContextManager[Container]:
        """Create a container that is not started yet, and remove it at the end, whatever happens."""
        return created_container(self._client, spec)

    def network(self, labels: Mapping[str, str]) -> AbstractContextManager[str]:
        """Create a network in which a container is alone, give its name, and remove it at the end."""
        return created_network(self._client, labels)

    def labelled(self, label: str, value: str) -> tuple[str, ...]:
        """Return the names of containers and networks that carry ``label`` with ``value``."""
        wanted = {"label": f"{label}={value}"}
        with translated("looking for what is left"):
            containers = self._client.containers(all=True, filters=wanted)
            networks = self._client.networks(filters=wanted)
        return (*(c["Names"][0].lstrip("/") for c in containers), *(n["Name"] for n in networks))

    def tag(self, image_id: str, reference: ImageReference) -> None:
        """Name an image that the engine holds."""
        with translated(f"tagging the image {str(reference)!r}"):
            self._client.tag(image_id, reference.repository, reference.tag_or_latest)

    def remove_image(self, reference: str) -> None:
        """Remove the image or tag; one that is not there is no error."""
        with translated(f"removing the image {reference!r}"):
            try:
                self._client.remove_image(reference, force=True)
            except ImageNotFound:
                return

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _present(self, reference: str) -> EngineImage:
        image = self.image(reference)
        if image is None:
            raise image_missing(reference)
        return image
