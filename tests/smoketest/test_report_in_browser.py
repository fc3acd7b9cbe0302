"""The HTML report of a real smoke test, in a real browser: nothing overflows, on a phone or a desk."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import MISSING, browser

from packager.outcomes import smoke_outcomes
from packager.reports import html_report
from packager.values import SmokeSettings

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]

OVERFLOWING = """
return [...document.querySelectorAll('main *')].filter((one) => !one.closest('.wide') &&
  one.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map((one) => one.outerHTML)
"""


def test_a_report_fits_every_screen(pristine: Path, tmp_path: Path):
    (outcome,) = smoke_outcomes(pristine, SmokeSettings())
    report = tmp_path / "report.html"
    report.write_text(html_report([outcome, outcome]), encoding="utf-8")
    with browser(tmp_path / "profile") as page:
        for width in (360, 1200):
            for dark in (False, True):
                page.look(width=width, dark=dark)
                page.open(report.as_uri())
                assert page.run(OVERFLOWING) == []
                assert (
                    page.run("return document.querySelector('.chart svg').getBoundingClientRect().height")
                    > 100
                )
        assert "answers right" in page.text("main")
        assert page.run("return performance.getEntriesByType('resource').length") == 0
