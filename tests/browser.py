"""A real browser for tests: Debian's Chromium, driven by the WebDriver protocol (https://www.w3.org/TR/webdriver2/)."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import requests

PATIENCE = 30.0
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key of a reference to an element, as the protocol has it."""
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)
MISSING = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
"""What a browser lacks here."""


class Browser:
    """One window of a browser."""

    def __init__(self, session: str) -> None:
        self._session = session

    def __call__(self, command: str, method: str = "POST", **parameters: Any) -> Any:
        """Send a command of the protocol, and return its value."""
        body = parameters if method == "POST" else None
        answer = requests.request(method, f"{self._session}/{command}", json=body, timeout=PATIENCE).json()
        if isinstance(answer["value"], dict) and "error" in answer["value"]:
            raise AssertionError(f"{command}: {answer['value']['message']}")
        return answer["value"]

    def open(self, url: str) -> None:
        self("url", url=url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page, and return what it returns."""
        return self("execute/sync", script=script, args=list(arguments))

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0]).innerText", selector))

    def type(self, selector: str, text: str) -> None:
        """Type into an element as a person does."""
        found = self("element", using="css selector", value=selector)[_ELEMENT]
        self(f"element/{found}/value", text=text)

    def press(self, *keys: str) -> None:
        """Press keys together, wherever the focus is."""
        actions = [{"type": "keyDown", "value": key} for key in keys]
        actions += [{"type": "keyUp", "value": key} for key in reversed(keys)]
        self("actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def focused(self) -> str:
        return str(self.run("return document.activeElement.id || document.activeElement.className"))

    def wait_for(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < deadline, f"waited in vain: {self.text('body')}"
            time.sleep(0.05)

    def look(self, *, width: int, height: int = 900, dark: bool = False) -> None:
        """Be a screen of this size and colour scheme."""
        self._chromium(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._chromium("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path) -> None:
        """Save a picture of the whole page."""
        shot = self._chromium("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _chromium(self, command: str, **parameters: Any) -> Any:
        return self("goog/cdp/execute", cmd=command, params=parameters)


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Run a browser with a fresh profile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    driver = subprocess.Popen(
        ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield _session(f"http://127.0.0.1:{port}", profile)
    finally:
        with suppress(requests.RequestException):
            for session in requests.get(f"http://127.0.0.1:{port}/sessions", timeout=5).json()["value"]:
                requests.delete(f"http://127.0.0.1:{port}/session/{session['id']}", timeout=5)
        driver.terminate()
        driver.wait()


def _session(url: str, profile: Path) -> Browser:
    options = {"args": [*_FLAGS, f"--user-data-dir={profile}"]}
    wanted = {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}}
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            answer = requests.post(f"{url}/session", json=wanted, timeout=PATIENCE).json()["value"]
        except requests.ConnectionError:
            assert time.monotonic() < deadline, "chromedriver does not listen"
            time.sleep(0.1)
            continue
        assert "sessionId" in answer, answer
        return Browser(f"{url}/session/{answer['sessionId']}")
