"""What refers to an image in its registry: attached to it, and found again, on new registries and old ones.

Format: github.com/opencontainers/distribution-spec, "Listing Referrers" and its "Referrers Tag Schema" for
registries that keep no account of referrers themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from packager.image.attestations import (
    PREDICATE_TYPE,
    SBOM_TYPE,
    STATEMENT_TYPE,
    Subject,
    sbom,
    statement,
)
from packager.image.blobs import Blob, GivenBlobs
from packager.image.image import INDEX, MANIFEST, document
from packager.image.registry import Repository
from packager.progress import Report, detail, say
from packager.sidebyside import Stop, side_by_side

_EMPTY = b"{}"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A document about an image, and how the registry is told of it."""

    kind: str
    content: bytes
    annotations: Mapping[str, str] = field(default_factory=dict)


def send_attachments(repository: Repository, subject: Subject) -> tuple[Attachment, ...]:
    """Make the SBOM and the provenance statement of an image, and put them into its repository.

    Nothing tells of them yet: that is for ``attach``.
    """
    made = (
        Attachment(
            kind=STATEMENT_TYPE,
            content=statement(subject),
            annotations={"in-toto.io/predicate-type": PREDICATE_TYPE},
        ),
        Attachment(kind=SBOM_TYPE, content=sbom(subject)),
    )
    sending = [partial(_send, repository, content) for content in (_EMPTY, *(one.content for one in made))]
    side_by_side(sending, workers=len(sending))
    return made


def attach(
    repository: Repository, manifest: bytes, attachments: Sequence[Attachment], report: Report
) -> None:
    """Have documents that are in the repository refer to the image of that manifest.

    What refers to an image may be there before the image is, so it is done before a tag is set.
    """
    say(report, "attaching the SBOM and the provenance")
    subject = {"mediaType": json.loads(manifest).get("mediaType", MANIFEST), **_named(manifest)}
    tell = [partial(_refer, repository, subject, attachment) for attachment in attachments]
    unlisted = [descriptor for descriptor, listed in side_by_side(tell, workers=len(tell)) if not listed]
    if unlisted:
        digest = subject["digest"]
        detail(report, f"the registry lists no referrers: they go under the tag {referrers_tag(digest)}")
        _list_under_tag(repository, digest, unlisted)


def referrers_of(repository: Repository, digest: str) -> Sequence[Mapping[str, Any]]:
    """Return descriptors of what refers to the manifest ``digest``, wherever the registry has them."""
    listed = repository.referrers(digest)
    if listed is not None:
        return listed
    found = repository.find_manifest(referrers_tag(digest))
    entries: Sequence[Mapping[str, Any]] = found[1].get("manifests") or [] if found else []
    return entries


def attached_document(repository: Repository, descriptor: Mapping[str, Any]) -> bytes:
    """Return the document that a referrer holds."""
    _, manifest = repository.manifest(descriptor["digest"])
    (layer,) = manifest["layers"]
    return repository.content(Blob(digest=layer["digest"], size=layer["size"]))


def referrers_tag(digest: str) -> str:
    """Return the tag under which old registries keep what refers to ``digest``."""
    return digest.replace(":", "-")


def _send(repository: Repository, content: bytes, _: Stop) -> None:
    blob = Blob.of(content)
    if not repository.has(blob):
        repository.upload(blob, GivenBlobs(content), lambda _: None)


def _refer(
    repository: Repository, subject: Mapping[str, Any], attachment: Attachment, _: Stop
) -> tuple[dict[str, Any], bool]:
    """Put the manifest of an attachment there; return its descriptor, and whether the registry lists it."""
    kind, annotations = attachment.kind, dict(attachment.annotations)
    manifest = document(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": kind,
            "config": {"mediaType": _EMPTY_TYPE, **_named(_EMPTY)},
            "layers": [{"mediaType": kind, **_named(attachment.content)}],
            "subject": subject,
            "annotations": annotations,
        }
    )
    listed = repository.put_manifest(Blob.of(manifest).digest, manifest)
    descriptor = {"mediaType": MANIFEST, "artifactType": kind, **_named(manifest)}
    return descriptor | ({"annotations": annotations} if annotations else {}), listed


def _list_under_tag(repository: Repository, digest: str, entries: Sequence[Mapping[str, Any]]) -> None:
    tag = referrers_tag(digest)
    found = repository.find_manifest(tag)
    listed = {entry["digest"]: entry for entry in (found[1].get("manifests") or [] if found else [])}
    listed |= {entry["digest"]: entry for entry in entries}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [listed[key] for key in sorted(listed)]}
    if not found or found[1].get("manifests") != index["manifests"]:
        repository.put_manifest(tag, document(index))


def _named(content: bytes) -> dict[str, Any]:
    blob = Blob.of(content)
    return {"digest": blob.digest, "size": blob.size}
