"""What the table of an inspection shows of a file with more layers than anyone reads."""

from __future__ import annotations

import io

from rich.console import Console

from packager.cli.inspect import _render_layers
from packager.values import LayerSummary


def test_a_table_of_layers_has_an_end() -> None:
    layer = LayerSummary(name="dense", class_name="Dense", weights=(), custom=False)
    shown = io.StringIO()
    _render_layers((layer,) * 2_345, Console(file=shown, width=100))
    lines = shown.getvalue().splitlines()
    assert len(lines) == 2_002
    assert lines[-1] == "  … and 345 more, which --json tells"
