"""Whether an image is whole and what it claims to be: checked from its registry alone."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packager import labels as label
from packager.errors import RegistryError, UsageError
from packager.image.attestations import PREDICATE_TYPE, SBOM_TYPE, STATEMENT_TYPE, dependencies
from packager.image.blobs import Blob
from packager.image.compression import decompressed
from packager.image.labelling import (
    BASE_DIGEST,
    BASE_NAME,
    annotations_of,
    contract_path,
    contracts_told,
    parse_each,
)
from packager.image.referrers import attached_document, referrers_of
from packager.image.registry import Repository
from packager.image.settings import MODEL_BASE_PATH
from packager.image.signing import signature_check
from packager.image.tarball import CHUNK, StreamFile
from packager.progress import Report, say
from packager.values import Check, ImageReference, RegistryAccess

_PUSH_HINT = "push it with packager, which attaches it: packager push REF"
_REST = "packager: graphs, contracts and settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """An image as its registry tells it."""

    repository: Repository
    digest: str
    manifest: Mapping[str, Any]
    config: Mapping[str, Any]

    @property
    def labels(self) -> Mapping[str, str]:
        found: Mapping[str, str] = (self.config.get("config") or {}).get("Labels") or {}
        return found

    def layer(self, comment: str) -> tuple[Mapping[str, Any], str] | None:
        """Return the descriptor and the ``diff_id`` of the layer with that comment in the history."""
        comments = [h.get("created_by") for h in self.config.get("history", ()) if not h.get("empty_layer")]
        layers = zip(comments, self.manifest["layers"], self.config["rootfs"]["diff_ids"], strict=False)
        return next(((layer, diff_id) for told, layer, diff_id in layers if told == comment), None)


def check_origin(
    reference: ImageReference, *, key: str | None, access: RegistryAccess, report: Report
) -> tuple[str, tuple[Check, ...]]:
    """Return the digest of an image, and what was checked of it and its attachments.

    Nothing but its registry is asked, and that of its base. Raises a RegistryError where there is no such
    image, or the registry's answers are not of the digests that they should be.
    """
    repository = Repository(reference, report, access=access)
    say(report, f"reading {reference}")
    digest, manifest = repository.manifest(reference.digest or reference.tag_or_latest)
    if "manifests" in manifest:
        raise UsageError(
            f"{str(reference)!r} is an index of several images",
            hint="name one of them by its digest: REF@sha256:…",
        )
    config = json.loads(repository.content(_blob(manifest["config"])))
    found = _Found(repository=repository, digest=digest, manifest=manifest, config=config)
    attached = _attached(found)
    return digest, (
        _check_layers(found),
        _check_annotations(found),
        _check_contracts(found),
        _check_base(found, access),
        _check_sbom(found, attached.get(SBOM_TYPE)),
        _check_statement(found, attached.get(STATEMENT_TYPE)),
        signature_check(reference, digest, repository, key=key),
    )


def _attached(found: _Found) -> dict[str, Any]:
    """Return the documents that refer to the image, by their types."""
    documents = {}
    for entry in referrers_of(found.repository, found.digest):
        kind = entry.get("artifactType", "")
        if kind in (SBOM_TYPE, STATEMENT_TYPE):
            documents[kind] = json.loads(attached_document(found.repository, entry))
    return documents


def _check_layers(found: _Found) -> Check:
    """See that the registry has all layers."""
    layers = [_blob(layer) for layer in found.manifest["layers"]]
    missing = [blob.digest for blob in layers if not found.repository.has(blob)]
    if missing:
        return Check(name="layers", ok=False, found=f"missing or of another size: {', '.join(missing)}")
    size = sum(blob.size for blob in layers)
    return Check(name="layers", ok=True, found=f"{len(layers)} layers, {size} bytes, all there")


def _check_annotations(found: _Found) -> Check:
    """See that the manifest tells what the config tells."""
    told = found.manifest.get("annotations") or {}
    if not told:  # an engine's push keeps none
        return Check(name="annotations", ok=True, found="none on the manifest", required=False)
    wrong = [key for key, value in annotations_of(found.labels).items() if told.get(key) != value]
    if wrong:
        return Check(name="annotations", ok=False, found=f"not as the labels say: {', '.join(wrong)}")
    return Check(name="annotations", ok=True, found="as the labels say")


def _check_contracts(found: _Found) -> Check:
    """See that the contracts inside are those that the labels tell of, and the layer is what it should be."""
    expected = contracts_told(found.labels)
    layer = found.layer(_REST)
    if not expected or layer is None:
        return Check(
            name="contracts", ok=False, found="the image tells of none", fix="convert the model with packager"
        )
    descriptor, diff_id = layer
    digest = hashlib.sha256()
    content = decompressed(descriptor["mediaType"], found.repository.blob(descriptor["digest"]))
    inside = dict(_contract_digests(_hashed(content, digest), expected))
    if f"sha256:{digest.hexdigest()}" != diff_id:
        return Check(name="contracts", ok=False, found=f"the layer is not {diff_id}")
    wrong = [servable for servable, told in expected.items() if inside.get(servable) != told]
    if wrong:
        return Check(name="contracts", ok=False, found=f"not as the label says: {', '.join(wrong)}")
    return Check(name="contracts", ok=True, found=f"{', '.join(expected)}: as the label says")


def _contract_digests(content: Iterator[bytes], servables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    paths = {contract_path(f"{MODEL_BASE_PATH.lstrip('/')}/{servable}"): servable for servable in servables}
    with tarfile.open(fileobj=io.BufferedReader(StreamFile(content), CHUNK), mode="r|") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name in paths else None
            if file is not None:
                yield paths[member.name], Blob.of(file.read()).digest
    for _ in content:  # to the end, for the digest of all of it
        pass


def _hashed(chunks: Iterator[bytes], digest: Any) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _check_base(found: _Found, access: RegistryAccess) -> Check:
    """See that the lowest layers are those of the base that the labels tell of, where it can be had."""
    name, digest = found.labels.get(BASE_NAME, ""), found.labels.get(BASE_DIGEST)
    if digest is None:
        return Check(
            name="base", ok=True, found=f"{name or 'unknown'}, which no registry has", required=False
        )
    try:
        base = Repository(ImageReference.parse(name), access=access)
        lowest = _base_layers(base, digest, found.config)
    except RegistryError as error:
        return Check(name="base", ok=True, found=f"{name}@{digest}, not compared: {error}", required=False)
    if tuple(found.config["rootfs"]["diff_ids"][: len(lowest)]) != lowest:
        return Check(name="base", ok=False, found=f"the lowest layers are not those of {name}@{digest}")
    return Check(name="base", ok=True, found=f"{name}@{digest}, {len(lowest)} layers")


def _base_layers(base: Repository, digest: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    _, manifest = base.manifest(digest)
    for entry in manifest.get("manifests", ()):
        platform = entry.get("platform") or {}
        if (platform.get("os"), platform.get("architecture")) == (config["os"], config["architecture"]):
            _, manifest = base.manifest(entry["digest"])
            break
    found = json.loads(base.content(_blob(manifest["config"])))
    return tuple(found["rootfs"]["diff_ids"])


def _check_sbom(found: _Found, document: Mapping[str, Any] | None) -> Check:
    if document is None:
        return Check(name="sbom", ok=False, found="none is attached", fix=_PUSH_HINT)
    subject = (document.get("metadata") or {}).get("component") or {}
    hashes = {f"sha256:{entry['content']}" for entry in subject.get("hashes", ())}
    listed = {f"sha256:{h['content']}" for c in document.get("components", ()) for h in c.get("hashes", ())}
    missing = set(parse_each(found.labels.get(label.SOURCE, "")).values()) - listed
    if found.digest not in hashes or missing:
        return Check(name="sbom", ok=False, found="it is of another image", fix=_PUSH_HINT)
    return Check(name="sbom", ok=True, found=f"CycloneDX, {len(document['components'])} components")


def _check_statement(found: _Found, document: Mapping[str, Any] | None) -> Check:
    if document is None:
        return Check(name="provenance", ok=False, found="none is attached", fix=_PUSH_HINT)
    subjects = {f"sha256:{s['digest'].get('sha256')}" for s in document.get("subject", ())}
    told = _resolved(document)
    if found.digest not in subjects or document.get("predicateType") != PREDICATE_TYPE:
        return Check(name="provenance", ok=False, found="it is of another image", fix=_PUSH_HINT)
    if told != dependencies(found.labels):
        return Check(name="provenance", ok=False, found="it tells of other sources than the labels do")
    return Check(name="provenance", ok=True, found=f"in-toto, SLSA v1, {len(told)} sources")


def _resolved(document: Mapping[str, Any]) -> Sequence[Any]:
    definition = (document.get("predicate") or {}).get("buildDefinition") or {}
    found: Sequence[Any] = definition.get("resolvedDependencies") or []
    return found


def _blob(descriptor: Mapping[str, Any]) -> Blob:
    return Blob(digest=descriptor["digest"], size=descriptor["size"])
