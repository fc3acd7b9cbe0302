"""The sections of the page that are text and tables."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from packager.errors import PackagerError
from packager.reports.markup import code, escape, table
from packager.values import ExampleRequest, ImageFacts, Prediction, Signature, SmokeReport


def section(title: str, content: str) -> str:
    """Return a titled part of the page."""
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def failure(error: PackagerError) -> str:
    """Return what failed, what to type, and what the server said."""
    hint = f'<p class="faint">hint: {escape(error.hint)}</p>' if error.hint else ""
    details = f"<pre>{escape(error.details)}</pre>" if error.details else ""
    return f'<section class="failure"><h2>{escape(error.message)}</h2>{hint}{details}</section>'


def answers(report: SmokeReport) -> str:
    """Return the requests with their latencies and deviations, and what was predicted."""
    rows = [
        (
            *(escape(probe.signature), probe.form, str(probe.batch), f"{probe.latency_ms:.1f} ms"),
            *(code(output), f"{difference:.3g}"),
        )
        for probe in report.probes
        for output, difference in probe.differences
    ]
    heads = ("signature", "form", "batch", "latency", "output", "largest difference")
    shown = report.probes[-1].predictions if report.probes else ()
    return (
        f'<p class="faint">Differences up to {report.tolerance:g}, absolute and relative, are allowed.</p>'
        f"{table(heads, rows, numbers=(2, 3, 5))}{_predictions(shown)}"
    )


def signatures(report: SmokeReport) -> str:
    """Return what a client may send, with a request to copy for each signature."""
    specs = {signature.key: signature for signature in report.signatures}
    examples = {example.signature: example for example in report.examples}
    return "".join(
        f"<h3>{code(key)}</h3>{_tensors(specs[key]) if key in specs else ''}"
        f"{_example(examples[key]) if key in examples else ''}"
        for key in dict.fromkeys((*specs, *examples))
    )


def image(tested: ImageFacts) -> str:
    """Return what the engine knows of the image."""
    facts = [("image ID", code(tested.id)), *(("reference", code(name)) for name in tested.references)]
    facts += [("platform", escape(tested.platform)), ("size", f"{tested.size / 1e6:.0f} MB")]
    layers = [(str(number), code(digest)) for number, digest in enumerate(tested.layers, 1)]
    return f"{table(('', ''), facts)}<h3>Layers, the lowest first</h3>{table(('', 'digest'), layers)}"


def _predictions(predictions: tuple[Prediction, ...]) -> str:
    rows = [
        (str(shown.example + 1), code(shown.output), ", ".join(_values(shown)), str(shown.size))
        for shown in predictions
    ]
    if not rows:
        return ""
    heads = ("example", "output", "largest values, by place", "values in all")
    return f"<h3>What it predicted</h3>{table(heads, rows, numbers=(3,))}"


def _values(prediction: Prediction) -> Iterator[str]:
    for place, value in prediction.values[:3]:
        yield f"{place}: {value:.4g}" if isinstance(value, float) else f"{place}: {escape(str(value))}"


def _tensors(signature: Signature) -> str:
    sides = (("input", signature.inputs), ("output", signature.outputs))
    rows = [(side, code(str(spec))) for side, specs in sides for spec in specs]
    return table(("", "name, type and shape"), rows)


def _example(example: ExampleRequest) -> str:
    command = f"curl http://localhost:8501{example.path} -d {shlex.quote(example.body)}"
    return f"<pre>{escape(command)}</pre>"
