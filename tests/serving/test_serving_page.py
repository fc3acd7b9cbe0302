"""The page at ``/`` in a real browser: what it shows, and that a keyboard is enough to use it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import MISSING, Browser, browser
from embedded_server import EmbeddedServer, config_file, serving

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]

CONTROL, ENTER, TAB = "\ue009", "\ue007", "\ue004"
PHONE = 360


@pytest.fixture(scope="module")
def shown(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server of two models, one of which has a version that cannot be loaded."""
    folder = tmp_path_factory.mktemp("page")
    broken = folder / "broken"
    broken.mkdir()
    (broken / "2").mkdir()
    (broken / "1").symlink_to(models / "pair" / "1")
    config = config_file(
        folder / "models.config",
        f'name: "affine" base_path: "{models / "affine"}"',
        f'name: "broken" base_path: "{broken}" model_version_policy {{ all {{}} }}',
    )
    with serving(model_config_file=config, ui="true", max_num_load_retries=0) as server:
        server.wait_until_ready()
        yield server


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def page(shown: EmbeddedServer, window: Browser) -> Browser:
    window.look(width=1000)
    window.open(f"http://127.0.0.1:{shown.rest_port}/")
    window.wait_for(lambda: "serving_default" in body(window))
    return window


def body(page: Browser) -> str:
    return str(page.run("return document.getElementById('body').value"))


def tab_to(page: Browser, name: str) -> None:
    for _ in range(20):
        page.press(TAB)
        if page.focused() == name:
            return
    pytest.fail(f"the tab key never reaches {name}")


def test_models_versions_and_signatures_are_shown(page: Browser) -> None:
    assert page.text("#title") == "affine"
    assert page.text("#versions").split() == ["3", "AVAILABLE"]
    options = "return [...document.querySelectorAll(arguments[0] + ' option')].map((one) => one.value)"
    assert page.run(options, "#model") == ["affine", "broken"]
    assert page.run(options, "#signature") == ["serving_default", "classify", "regress", "scores_only"]
    assert page.text("#tensors").split()[:3] == ["input", "x", "float"]


def test_the_example_is_answered_by_keyboard_alone(page: Browser) -> None:
    assert json.loads(body(page)) == {"signature_name": "serving_default", "inputs": {"x": [[0]]}}
    tab_to(page, "body")
    page.press(CONTROL, ENTER)
    page.wait_for(lambda: "HTTP 200" in page.text("#verdict"))
    assert json.loads(page.text("#answer")) == {"outputs": [[3.0]]}


def test_a_request_of_ones_own_is_sent_and_an_error_shown(page: Browser) -> None:
    page.run("document.getElementById('body').value = ''")
    page.type("#body", '{"instances": [[4]]}')
    assert "-d '{\"instances\": [[4]]}'" in page.text("#curl")
    tab_to(page, "send")
    page.press(ENTER)
    page.wait_for(lambda: "HTTP 200" in page.text("#verdict"))
    assert json.loads(page.text("#answer")) == {"predictions": [[5.0]]}
    page.type("#body", "]")
    page.run("document.getElementById('body').value = '{'")
    page.run("document.getElementById('send').click()")
    page.wait_for(lambda: "HTTP 400" in page.text("#verdict"))
    assert "JSON Parse error" in page.text("#answer")


def test_why_a_version_cannot_be_loaded_is_shown(page: Browser) -> None:
    page.run(
        "const chosen = document.getElementById('model'); chosen.value = 'broken';"
        "chosen.dispatchEvent(new Event('change'))"
    )
    page.wait_for(lambda: page.text("#title") == "broken" and "text" in page.text("#tensors"))
    assert "Could not find SavedModel" in page.text("#versions")
    assert json.loads(body(page))["inputs"] == {"number": [0], "text": ["text"]}


def test_every_control_has_a_name_and_nothing_is_wider_than_a_phone(page: Browser) -> None:
    page.look(width=PHONE)
    nameless = page.run(
        "return [...document.querySelectorAll('select, textarea, button, pre')]"
        ".filter((one) => !(one.labels?.length || one.ariaLabel || one.innerText)).map((one) => one.id)"
    )
    assert nameless == []
    assert page.run("return document.documentElement.scrollWidth") <= PHONE


def test_the_page_brings_all_it_needs(page: Browser, shown: EmbeddedServer) -> None:
    loaded = page.run("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert {name.split("/")[2] for name in loaded} == {f"127.0.0.1:{shown.rest_port}"}


def test_there_is_no_page_unless_it_is_asked_for(server: EmbeddedServer) -> None:
    assert server.ask("/").status == 404
    assert server.ask("/ui/models.json").status == 404
