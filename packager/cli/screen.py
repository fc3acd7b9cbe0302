"""What people and programs see: results on stdout, the rest on stderr, one exit code a cause."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from packager.errors import OutputError, PackagerError
from packager.progress import Event, Level
from packager.values import to_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

PIPE_WIDTH = 240
"""Columns where the output is no terminal: a file or a pager wraps by itself."""

DETAIL_LINES = 60
"""Lines of a server's log or a build's output shown below an error."""


INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class TerminatedError(BaseException):
    """SIGTERM arrived: unwinds the stack as Ctrl-C does, so that nothing is left behind."""


class Screen:
    """Where a verb shows its progress and its result."""

    def __init__(self, *, as_json: bool, quiet: bool, verbose: bool) -> None:
        self._json, self._quiet, self._verbose = as_json, quiet, verbose
        self._last, self._began = "", 0.0
        self._status: Status | None = None
        self._err: Console | None = None

    def report(self, event: Event) -> None:
        """Show one event of a running stage."""
        if event.level is Level.WARNING:
            self._line(f"[yellow]warning:[/] {_plain(event.text)}")
        elif self._quiet or (event.level is Level.DETAIL and not self._verbose):
            return
        elif event.level is Level.STAGE:
            self._line(f"[bold]{_plain(f'[{event.done}/{event.total}] {event.text}')}[/]")
        elif event.level is Level.PROGRESS:
            self._progress(event)
        else:
            self._line(_plain(event.text))

    def show(self, value: Any, render: Callable[[Console], None]) -> None:
        """Show a verb's result: as JSON, or by ``render`` for people."""
        self.end_progress()
        if self._json:
            typer.echo(json.dumps(to_json(value), indent=2))
        elif not self._quiet:
            from rich.console import Console

            width = None if sys.stdout.isatty() else PIPE_WIDTH
            render(Console(highlight=False, width=width))

    def fail(self, error: PackagerError) -> NoReturn:
        """Tell ``error`` in the one way that all verbs tell errors, and leave with its exit code."""
        self.end_progress()
        if self._json:
            typer.echo(json.dumps({"error": to_json(error)}, indent=2))
        self._line(f"[bold red]error:[/] {_plain(error.message)}")
        for line in (error.details or "").splitlines()[-DETAIL_LINES:]:
            self._line(f"  [dim]│[/] {_plain(line)}")
        if error.hint:
            self._line(f"[bold]hint:[/] {_plain(error.hint)}")
        raise typer.Exit(error.exit_code)

    def end_progress(self) -> None:
        """Take the line of the present step away."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _progress(self, event: Event) -> None:
        if event.text != self._last:
            self._began = time.monotonic()
        if self._stderr.is_terminal:
            text = _plain(event.text) + amount_text(event, time.monotonic() - self._began)
            if self._status is None:
                self._status = self._stderr.status(text, spinner="dots")
                self._status.start()
            else:
                self._status.update(text)
        elif event.text != self._last:  # a log file gets each step once, not each byte count
            self._line(f"  {_plain(event.text)}")
        self._last = event.text

    def _line(self, markup: str) -> None:
        self._stderr.print(markup)

    @property
    def _stderr(self) -> Console:
        if self._err is None:
            from rich.console import Console

            self._err = Console(stderr=True, highlight=False, soft_wrap=True)
        return self._err


@contextmanager
def screen(*, as_json: bool, quiet: bool, verbose: bool) -> Iterator[Screen]:
    """Run a verb's body: errors become text and exit codes, Ctrl-C and SIGTERM become 130 and 143."""
    shown = Screen(as_json=as_json, quiet=quiet, verbose=verbose)
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield shown
    except PackagerError as error:
        shown.fail(error)
    except KeyboardInterrupt:
        raise typer.Exit(_interrupted(shown, "interrupted", INTERRUPTED)) from None
    except TerminatedError:
        raise typer.Exit(_interrupted(shown, "terminated", 143)) from None
    finally:
        shown.end_progress()
        signal.signal(signal.SIGTERM, previous)


def write_file(path: Path, content: bytes, *, hint: str = "write the report elsewhere") -> None:
    """Write a file, its folder too where that is missing, or raise OutputError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise OutputError(
            f"cannot write {str(path)!r}: {(error.strerror or str(error)).lower()}", hint=hint
        ) from error


def size_text(size: int) -> str:
    """Write a number of bytes for people, in decimal units: ``663 MB``."""
    amount, unit = float(size), "B"
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise TerminatedError


def _interrupted(shown: Screen, how: str, code: int) -> int:
    shown.end_progress()
    typer.echo(f"{how}: nothing half-made was left behind", err=True)
    return code


def amount_text(event: Event, seconds: float) -> str:
    """Tell how far a step is, and of bytes how fast they come and how long the rest takes."""
    if event.done is None or not event.total:
        return ""
    share = f" {100 * event.done // event.total}%"
    if event.total <= 10_000:
        return share
    text = f"{share} of {size_text(event.total)}"
    if seconds < 0.5 or not event.done:
        return text
    rate = event.done / seconds
    return f"{text}, {size_text(int(rate))}/s, {(event.total - event.done) / rate:.0f} s left"


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
