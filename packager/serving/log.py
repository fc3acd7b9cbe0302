"""The server's log: lines on stderr in the form of TensorFlow's own, which come between them."""

from __future__ import annotations

import logging
import sys
from datetime import datetime
from pathlib import PurePath

log = logging.getLogger("packager.serving")

_LETTERS = {logging.DEBUG: "D", logging.INFO: "I", logging.WARNING: "W", logging.ERROR: "E"}


class TensorFlowFormatter(logging.Formatter):
    """Formats ``2026-01-31 12:00:00.123456: I packager/serving/server.py:42] text``."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record, with the traceback of an exception on lines of its own."""
        time = datetime.fromtimestamp(record.created).strftime("%Y-%m-%d %H:%M:%S.%f")
        parts = PurePath(record.pathname).parts
        place = "/".join(parts[-2 - parts[::-1].index("serving") :]) if "serving" in parts else parts[-1]
        text = f"{time}: {_LETTERS.get(record.levelno, 'F')} {place}:{record.lineno}] {record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def log_to_stderr() -> None:
    """Send the log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TensorFlowFormatter())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
