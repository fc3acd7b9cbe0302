"""Small pieces of HTML."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def escape(text: str) -> str:
    """Return ``text`` so that a browser shows it as it is."""
    return html.escape(text, quote=True)


def code(text: str) -> str:
    """Return ``text`` in the type of programs."""
    return f"<code>{escape(text)}</code>"


def fact(name: str, value: str) -> str:
    """Return one figure of the page's head."""
    return f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()) -> str:
    """Return a table of cells that are HTML; the columns ``numbers`` are aligned as numbers."""

    def cells(tag: str, row: Sequence[str]) -> str:
        classes = (' class="number"' if column in numbers else "" for column in range(len(row)))
        return "".join(f"<{tag}{css}>{cell}</{tag}>" for css, cell in zip(classes, row, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{cells("th", heads)}</tr>{body}</table></div>'
