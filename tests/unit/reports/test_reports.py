"""What reports tell: by parsing them as a CI system and a browser would."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from packager.errors import ServableLoadError, UsageError
from packager.reports import html_report, junit_report
from packager.values import (
    Budget,
    ExampleRequest,
    ImageFacts,
    Phase,
    Prediction,
    Probe,
    Signature,
    SmokeOutcome,
    SmokeReport,
    TensorSpec,
    WarmupEffect,
    percentile,
)

VOID = {"meta"}


def right(target: str = "digits:1", base: str | None = None) -> SmokeOutcome:
    phases = (Phase(name="start", seconds=0.5), Phase(name="answers", seconds=1.5))
    report = SmokeReport(
        target=target,
        mode="container",
        model_name="digits",
        version=3,
        ready_s=1.0,
        probes=(
            Probe(
                signature="serving_default",
                form="row",
                batch=2,
                latency_ms=3.25,
                max_difference=2e-7,
                predictions=(Prediction(output="digit", example=0, size=10, values=((4, 0.75), (1, "<b>"))),),
                differences=(("digit", 2e-7), ("length", 0.0)),
            ),
        ),
        tolerance=1e-5,
        phases=phases,
        cold_start_s=1.25,
        steady_ms=tuple(float(n) for n in range(1, 101)),
        memory_bytes=59_000_000,
        signatures=(
            Signature(
                key="serving_default",
                method="predict",
                inputs=(TensorSpec(name="image", dtype="float32", shape=(None, 8)),),
                outputs=(TensorSpec(name="digit", dtype="float32", shape=(None, 10)),),
            ),
        ),
        examples=(ExampleRequest(signature="serving_default", path="/v1/x:predict", body='{"a": "it\'s"}'),),
        image=ImageFacts(
            id="sha256:11",
            references=("digits:1",),
            platform="linux/amd64",
            size=623_000_000,
            layers=("sha256:22", "sha256:33"),
        ),
    )
    return SmokeOutcome(target=target, base=base, phases=phases, report=report, error=None)


def failed(details: str = "E] no such op") -> SmokeOutcome:
    return SmokeOutcome(
        target="<digits>",
        base="embedded",
        phases=(Phase(name="start", seconds=0.5), Phase(name="load", seconds=0.25, ok=False)),
        report=None,
        error=ServableLoadError("cannot load <m> & more", hint="convert it", details=details),
    )


class Page(HTMLParser):
    """Collects text and attributes, and holds the page to closing what it opens."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.attributes, self.tags = "", [], Counter()
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags[tag] += 1  # <line …/>

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_junit_has_a_suite_for_each_server_and_a_case_for_each_phase():
    root = ElementTree.fromstring(junit_report([right(), failed()]))
    good, bad = root
    assert (good.get("name"), good.get("tests"), good.get("failures")) == ("digits:1", "2", "0")
    assert [(case.get("name"), case.get("time")) for case in good] == [
        ("start", "0.500"),
        ("answers", "1.500"),
    ]
    assert (bad.get("name"), bad.get("failures")) == ("<digits> on embedded", "1")
    (failure,) = bad.iter("failure")
    assert (failure.get("type"), failure.get("message")) == ("ServableLoadError", "cannot load <m> & more")
    assert failure.text == "exit code 33\nhint: convert it\nE] no such op"


def test_junit_survives_what_xml_cannot_hold():
    (failure,) = ElementTree.fromstring(junit_report([failed("a\x1b[31m\x00b")])).iter("failure")
    assert failure.text.endswith("a\ufffd[31m\ufffdb")


def test_a_failure_before_any_phase_is_a_case_as_well():
    nothing_begun = SmokeOutcome(target="t", base=None, phases=(), report=None, error=UsageError("no"))
    (case,) = ElementTree.fromstring(junit_report([nothing_begun])).iter("testcase")
    assert case.find("failure") is not None


def test_the_page_tells_all_of_a_right_target():
    page = Page(html_report([right()]))
    for told in (
        *("answers right", "digits 3", "container", "1.2 s", "50.0 ms", "99.0 ms", "59 MB"),
        *("serving_default", "2e-07", "image: float32[?, 8]", "digit: float32[?, 10]", "4: 0.75", "<b>"),
        *("sha256:11", "sha256:22", "sha256:33", "linux/amd64", "623 MB"),
        """curl http://localhost:8501/v1/x:predict -d '{"a": "it'"'"'s"}'""",
    ):
        assert told in page.text
    assert page.tags["rect"] == 30


def test_the_page_tells_what_warm_up_is_worth():
    outcome = right()
    assert outcome.report is not None
    effect = WarmupEffect(first_ms=2.5, first_ms_without=48.25, ready_s=1.0, ready_s_without=0.9)
    page = Page(html_report([replace(outcome, report=replace(outcome.report, warmup=effect))]))
    assert "first request2.5 ms" in page.text
    assert "without warm-up48.2 ms" in page.text


def test_the_page_tells_why_a_target_failed():
    page = Page(html_report([failed("<script>alert(1)</script>")]))
    for told in ("<digits>", "failed: load (exit code 33)", "cannot load <m> & more", "hint: convert it"):
        assert told in page.text
    assert "<script>alert(1)</script>" in page.text
    assert page.tags["script"] == 0


def test_the_page_needs_nothing_else():
    text = html_report([right(), failed()])
    page = Page(text)
    assert not [a for a in page.attributes if a[1] in ("src", "href", "srcset") or a[1].startswith("on")]
    assert not re.search(r"url\(|@import|<link", text)
    assert "2 servers" in page.text


def test_phases_are_drawn_where_they_lay_in_time():
    widths = re.findall(r"left:([\d.]+)%;width:([\d.]+)%", html_report([right()]))
    assert widths == [("0.00", "25.00"), ("25.00", "75.00")]


@pytest.mark.parametrize(("percent", "value"), [(50, 5), (90, 9), (99, 10), (100, 10), (1, 1)])
def test_a_percentile_is_one_of_the_values(percent, value):
    assert percentile(range(10, 0, -1), percent) == value


def test_a_percentile_of_nothing_is_nothing():
    assert percentile([], 99) == 0


@pytest.mark.parametrize(
    "wrong",
    [{"cold_start_s": 0}, {"memory_bytes": -1}, {"latency_ms": ((0, 5.0),)}, {"latency_ms": ((99, 0),)}],
)
def test_a_budget_that_cannot_be_is_refused(wrong):
    with pytest.raises(UsageError):
        Budget(**wrong)
