"""What the documents say of rules and options is so."""

from __future__ import annotations

import re
from pathlib import Path

from packager.h5 import RULES
from packager.savedmodel.safety import SUMMARIES

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_every_rule_is_listed_as_it_is() -> None:
    listed = re.findall(
        r"^\| `([\w-]+)` \((\w+)\) \| (.+) \|$", (DOCS / "files.md").read_text(), re.MULTILINE
    )
    of_saved_models = [(rule, "error", summary) for rule, summary in SUMMARIES.items()]
    assert listed == [(rule.id, rule.severity.value, rule.summary) for rule in RULES] + of_saved_models


def test_every_option_that_is_told_exists() -> None:
    """The README's reference is made from the command, and CI sees to it that it is."""
    reference = (DOCS.parent / "README.md").read_text().partition("## Commands")[2]
    told = set(re.findall(r"--[a-z][\w-]+", (DOCS / "files.md").read_text()))
    assert told - set(re.findall(r"--[a-z][\w-]+", reference)) == set()
