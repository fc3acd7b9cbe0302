"""Smoke tests as JUnit's XML: a test suite for each server, a test case for each phase.

CI systems agree on the form that is described at https://github.com/testmoapp/junitxml.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from packager.errors import PackagerError
from packager.values import Phase, SmokeOutcome

_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_report(outcomes: Sequence[SmokeOutcome]) -> bytes:
    """Return the XML document that tells ``outcomes``."""
    root = ElementTree.Element("testsuites", name="packager smoke")
    for outcome in outcomes:
        root.append(_suite(outcome))
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _suite(outcome: SmokeOutcome) -> ElementTree.Element:
    name = _text(f"{outcome.target} on {outcome.base}" if outcome.base else outcome.target)
    phases = outcome.phases
    if outcome.error is not None and all(phase.ok for phase in phases):  # it failed before any phase began
        phases = (*phases, Phase(name="target", seconds=0, ok=False))
    suite = ElementTree.Element(
        "testsuite",
        name=name,
        tests=str(len(phases)),
        failures=str(0 if outcome.error is None else 1),
        errors="0",
        time=_seconds(sum(phase.seconds for phase in phases)),
    )
    for phase in phases:
        case = ElementTree.SubElement(
            suite, "testcase", classname=name, name=phase.name, time=_seconds(phase.seconds)
        )
        if not phase.ok and outcome.error is not None:
            case.append(_failure(outcome.error))
    return suite


def _failure(error: PackagerError) -> ElementTree.Element:
    failure = ElementTree.Element("failure", type=type(error).__name__, message=_text(error.message))
    hint = f"hint: {error.hint}" if error.hint else ""
    failure.text = _text("\n".join(filter(None, (f"exit code {error.exit_code}", hint, error.details))))
    return failure


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _text(text: str) -> str:
    """Return ``text`` without the characters that XML cannot hold."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)
