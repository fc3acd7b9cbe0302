"""Reports of smoke tests as files: for CI systems, and for people with a browser."""

from packager.reports.junit import junit_report
from packager.reports.page import html_report

__all__ = ["junit_report", "html_report"]
