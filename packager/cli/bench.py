"""``packager bench``: put load on a target, and compare it with another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from packager.cli import options
from packager.cli.screen import screen, size_text
from packager.errors import RequestError
from packager.values import Load, LoadResult

if TYPE_CHECKING:
    from rich.console import Console


def bench(
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", help="An image reference, or a model folder.", show_default=False),
    ],
    against: Annotated[
        list[str] | None,
        typer.Option("--against", metavar="TARGET", help="Measure this target as well. Repeatable."),
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", metavar="S", help="How long each is loaded.")] = 10,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", metavar="N", help="Requests under way at once.")
    ] = 4,
    batch: Annotated[int, typer.Option("--batch", "-b", metavar="N", help="Examples in a request.")] = 1,
    protocol: Annotated[str, typer.Option("--protocol", metavar="P", help="rest or grpc.")] = "rest",
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="N",
            help="Requests a second, whatever the server does (open loop).",
            show_default="as fast as they are answered: closed loop",
        ),
    ] = None,
    timeout: options.Timeout = 120,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Put load on TARGET and measure it.

    Tells throughput, latency, errors, processor and memory. Targets run one after the other, each alone and
    as in a smoke test; the requests are made of examples recorded at conversion. With --rate a latency counts
    from when its request was due, so a server that stalls cannot hide it.

    Example: packager bench digits:2 --against digits:1 --concurrency 8
    """
    from packager.benchmark import bench as measure

    with screen(as_json=as_json, quiet=quiet, verbose=verbose) as shown:
        load = Load(seconds=seconds, concurrency=concurrency, batch=batch, protocol=protocol, rate=rate)
        targets = [target, *(against or ())]
        results = [measure(each, load, timeout=timeout, report=shown.report) for each in targets]
        shown.show(results, lambda console: render(results, console))
        for result in results:
            if result.errors:
                text, count = result.errors[0]
                raise RequestError(
                    f"{result.target}: {count} requests failed under load, {text}",
                    hint="fewer at once: --concurrency 1, or ask once: packager smoke " + result.target,
                )


def render(results: Sequence[LoadResult], console: Console) -> None:
    """Show a row for each target, and how the others compare with the first."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("target")
    for column in ("requests/s", "examples/s", "p50", "p90", "p99", "slowest", "errors", "cpus", "memory"):
        table.add_column(column, justify="right")
    for result in results:
        table.add_row(escape(result.target), *_cells(result))
    console.print(table)
    first, *others = results
    for other in others:
        if other.requests_per_s and other.p99_ms:
            console.print(
                f"{escape(first.target)} gives {first.requests_per_s / other.requests_per_s:.2f} times the "
                f"throughput of {escape(other.target)}, at {first.p99_ms / other.p99_ms:.2f} times its p99"
            )


def _cells(result: LoadResult) -> tuple[str, ...]:
    return (
        f"{result.requests_per_s:.1f}",
        f"{result.examples_per_s:.1f}",
        *(f"{ms:.1f} ms" for ms in (result.p50_ms, result.p90_ms, result.p99_ms, result.max_ms)),
        str(sum(count for _, count in result.errors)),
        "" if result.cpu_share is None else f"{result.cpu_share:.2f}",
        "" if result.memory_bytes is None else size_text(result.memory_bytes),
    )
