"""What is pushed beside an image to prove its origin: an SBOM, and a provenance statement.

Both are made of the image's own config, so the same image always has the same ones, whoever pushes it.
Formats: cyclonedx.org, in-toto.io/Statement/v1, slsa.dev/provenance/v1.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from typing import TYPE_CHECKING, Any

from packager import labels as label
from packager.image.image import document
from packager.image.labelling import BASE_DIGEST, BASE_NAME, OCI, REVISION, SOURCE, contracts_told, parse_each

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

SBOM_TYPE = "application/vnd.cyclonedx+json"
STATEMENT_TYPE = "application/vnd.in-toto+json"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"

_BUILD_TYPE = "urn:tfserving-packager:build:v1"
_BUILDER = "urn:tfserving-packager"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The image that is told of: where it is, the digest of its manifest, and its config."""

    repository: str
    digest: str
    config: Mapping[str, Any]

    @property
    def labels(self) -> Mapping[str, str]:
        """The image's labels."""
        found: Mapping[str, str] = (self.config.get("config") or {}).get("Labels") or {}
        return found


def dependencies(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what went into an image, by its labels, as SLSA's resource descriptors."""
    found: list[dict[str, Any]] = [
        {"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}
        for name, digest in parse_each(labels.get(label.SOURCE, "")).items()
    ]
    if BASE_DIGEST in labels:
        base = {"sha256": labels[BASE_DIGEST].removeprefix("sha256:")}
        found.append({"uri": f"oci://{labels.get(BASE_NAME, '')}", "digest": base})
    if REVISION in labels:
        commit = {"gitCommit": labels[REVISION].removesuffix("-dirty")}
        found.append({"uri": f"git+{labels.get(SOURCE, '')}", "digest": commit})
    return found


def statement(subject: Subject) -> bytes:
    """Return the provenance statement of an image."""
    labels = subject.labels
    told = (label.MODEL, label.VERSIONS, label.CONTRACTS, BASE_NAME, REVISION)
    return document(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [
                {"name": subject.repository, "digest": {"sha256": subject.digest.removeprefix("sha256:")}}
            ],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "buildDefinition": {
                    "buildType": _BUILD_TYPE,
                    "externalParameters": {key: labels[key] for key in told if key in labels},
                    "internalParameters": {"tensorflow": labels.get(label.TENSORFLOW)},
                    "resolvedDependencies": dependencies(labels),
                },
                "runDetails": {
                    "builder": {
                        "id": _BUILDER,
                        "version": {"packager": metadata.version("tfserving-packager")},
                    }
                },
            },
        }
    )


def sbom(subject: Subject) -> bytes:
    """Return the bill of materials of an image: its models, their layers, its base and its packages."""
    from cyclonedx.model.bom import Bom
    from cyclonedx.output.json import JsonV1Dot6

    bom = Bom(
        components=_components(subject), serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"oci:{subject.digest}")
    )
    bom.metadata.timestamp = datetime.fromisoformat(subject.config["created"].replace("Z", "+00:00"))
    bom.metadata.component = image = _image(subject)
    bom.register_dependency(image, bom.components)
    content = json.loads(JsonV1Dot6(bom).output_as_string())
    return document(content)


def _image(subject: Subject) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    labels = subject.labels
    return Component(
        type=ComponentType.CONTAINER,
        name=subject.repository,
        version=labels.get(f"{OCI}.version"),
        bom_ref=subject.digest,
        hashes=_hashes(subject.digest),
    )


def _components(subject: Subject) -> Iterator[Component]:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    labels = subject.labels
    contracts = contracts_told(labels)
    for servable, digest in parse_each(labels.get(label.SOURCE, "")).items():
        name, _, version = servable.partition("/")
        properties = (
            [Property(name=label.CONTRACTS, value=contracts[servable])] if servable in contracts else []
        )
        yield Component(
            type=ComponentType.MACHINE_LEARNING_MODEL,
            name=name,
            version=version,
            bom_ref=f"model:{servable}",
            hashes=_hashes(digest),
            properties=properties,
        )
    for diff_id, comment in _own_layers(subject.config):
        yield Component(
            type=ComponentType.FILE, name=comment, bom_ref=f"layer:{diff_id}", hashes=_hashes(diff_id)
        )
    if BASE_NAME in labels:
        base = labels.get(BASE_DIGEST)
        yield Component(
            type=ComponentType.CONTAINER,
            name=labels[BASE_NAME],
            bom_ref=f"base:{labels[BASE_NAME]}",
            hashes=_hashes(base) if base else (),
        )
    yield from _packages(labels)


def _packages(labels: Mapping[str, str]) -> Iterator[Component]:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    exporter = labels.get(label.TENSORFLOW)
    told = labels.get(label.PACKAGES, "").split() or ([f"pkg:pypi/tensorflow@{exporter}"] if exporter else [])
    for text in told:
        url = PackageURL.from_string(text)
        yield Component(
            type=ComponentType.LIBRARY, name=url.name, version=url.version, purl=url, bom_ref=text
        )


def _own_layers(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the layers that packager made, by their history."""
    comments = [entry.get("created_by", "") for entry in config["history"] if not entry.get("empty_layer")]
    for diff_id, comment in zip(config["rootfs"]["diff_ids"], comments, strict=False):
        if comment.startswith("packager: "):
            yield diff_id, comment.removeprefix("packager: ")


def _hashes(digest: str) -> tuple[Any, ...]:
    from cyclonedx.model import HashAlgorithm, HashType

    return (HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:")),)
