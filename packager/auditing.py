"""Audits models against the servers that are to run them: by ``packager audit``, and before each build."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from packager.errors import AuditError, ModelFileError, UsageError
from packager.progress import Report, detail, silent, warn
from packager.savedmodel.audit import Server, audit_graph
from packager.savedmodel.graph import read_graph
from packager.savedmodel.reach import Reach
from packager.values import Audit, Finding, ImageReference, ServableVersion, Severity

PathLike = str | os.PathLike[str]

_SERVING = re.compile(r"(?P<version>\d+\.\d+\.\d+)(?P<gpu>-gpu)?")
"""Tags of tensorflow/serving that tell which TensorFlow is inside."""


def audit(
    target: PathLike,
    *,
    base: str | None = None,
    model: str | None = None,
    version: int | None = None,
    report: Report = silent,
) -> Audit:
    """Tell what stands between ``target`` and the server on ``base``; nothing is run or built.

    An image's own base is meant, and the official one for all else, unless one is named; ``model`` is the one
    that is meant of an image with several.
    Raises ImageNotFoundError where there is no such target, ModelFileError where its graph cannot be read.
    """
    from packager.targets import resolve  # brings numpy, which a build's audit does without

    found = resolve(target, model=model, version=version, report=report)
    if found.graph is None:
        raise UsageError(
            f"{found.name!r} is a contract alone, without the graph", hint="packager audit models/NAME"
        )
    return _audited(found.name, found.graph, base or found.base or "official")


def check_servables(servables: Sequence[ServableVersion], base: str, report: Report = silent) -> None:
    """Audit what an image on ``base`` is to serve: warn of hazards, raise AuditError where it cannot run.

    Of a base that is anybody's, no finding is certain, so that there they are warnings all.
    """
    for servable in servables:
        where = str(servable.path)
        try:
            audited = _audited(where, (servable.path / "saved_model.pb").read_bytes(), base)
        except ModelFileError as error:
            if server_on(base, None).known:
                raise
            warn(report, f"not audited: {error}")
            continue
        if audited.errors:
            raise AuditError(
                f"{audited.server} cannot serve {where!r}: {_line(audited.errors[0])}",
                hint=f"packager audit {servable.path} --base {base}",
                details="\n".join(map(_line, audited.errors)),
            )
        for finding in audited.findings:
            tell = warn if finding.severity is Severity.WARNING else detail
            tell(report, _line(finding))


def _audited(name: str, content: bytes, base: str) -> Audit:
    graph = read_graph(content, name)
    exporter = graph.meta_info_def.tensorflow_version or None
    server = server_on(base, exporter)
    reach = Reach(graph)
    nodes = list(reach.all)
    return Audit(
        target=name,
        server=server.name,
        exporter=exporter,
        nodes=len(nodes),
        operations=tuple(sorted({node.op for node in nodes})),
        findings=audit_graph(reach, server),
    )


def server_on(base: str, exporter: str | None) -> Server:
    """Return what is known of the server on ``base``, for models that TensorFlow ``exporter`` made."""
    from packager.image import official_reference, tensorflow_version

    if base.partition(":")[0] == "embedded":  # or embedded:debian
        return Server(name="the embedded server", tensorflow=tensorflow_version(), serving=False)
    reference = (
        official_reference(exporter, silent) if base in ("official", "auto") else ImageReference.parse(base)
    )
    tag = _SERVING.fullmatch(reference.tag or "")
    if reference.path != "tensorflow/serving" or reference.domain not in (None, "docker.io"):
        return Server(name=str(reference), tensorflow=None, serving=False, known=False)
    return Server(
        name=str(reference),
        tensorflow=tag["version"] if tag else None,
        serving=True,
        known=not (tag and tag["gpu"]),
    )


def _line(finding: Finding) -> str:
    return f"layer {finding.layer!r}: {finding.message}" if finding.layer else finding.message
