"""What the documents say of rules and options is so."""

from __future__ import annotations

import re
from pathlib import Path

from packager.h5 import RULES
from packager.savedmodel.safety import SUMMARIES
from packager.serving.flags import FLAGS

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


def test_every_flag_without_effect_is_told_and_no_other() -> None:
    (told,) = re.findall(
        r"^- Any effect of these flags.*?:(.*?)\.$",
        (DOCS / "serving.md").read_text(),
        re.MULTILINE | re.DOTALL,
    )
    assert re.findall(r"`--(\w+)`", told) == [flag.name for flag in FLAGS if not flag.heeded]


def test_every_flag_that_is_told_exists() -> None:
    told = set(re.findall(r"`--(\w+)(?:=\w+)?`", (DOCS / "serving.md").read_text()))
    assert told <= {flag.name for flag in FLAGS}
