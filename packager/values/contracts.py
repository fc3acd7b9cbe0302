"""How two contracts differ, and what the audit of a graph found."""

from __future__ import annotations

from dataclasses import dataclass

from packager.values.files import Finding, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractChange:
    """One difference between an old contract and a new one, as a client meets it."""

    kind: str
    """``added``, ``removed``, ``renamed``, ``retyped``, ``reshaped`` or ``method``."""
    subject: str
    """``signature``, ``input`` or ``output``."""
    signature: str
    name: str
    """Of the signature or tensor, in the old contract where it was there."""
    before: str
    after: str
    breaking: bool
    why: str
    """What it means for a client that was written for the old contract."""

    def __str__(self) -> str:
        place = "" if self.subject == "signature" else f" of {self.signature!r}"
        change = {"added": self.after, "removed": self.before}.get(self.kind, f"{self.before} → {self.after}")
        return f"{self.kind} {self.subject}{place}: {change}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractDiff:
    """All differences between two contracts, those that break clients first."""

    old: str
    new: str
    changes: tuple[ContractChange, ...]

    @property
    def breaking(self) -> bool:
        """Whether a client of the old one may fail with the new one."""
        return any(change.breaking for change in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What stands between a graph and the server that is to run it."""

    target: str
    server: str
    """``tensorflow/serving:2.20.0``, ``embedded (TensorFlow 2.21.0)``…"""
    exporter: str | None
    """Version of the TensorFlow that wrote the graph."""
    nodes: int
    """How many nodes a server may come to run, in functions too."""
    operations: tuple[str, ...]
    """Their kinds, each once."""
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings with which the server cannot load or run the graph."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)
