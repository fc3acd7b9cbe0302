"""Smoke tests of model folders: the embedded server as a process, on small models of every kind of fault."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from causes import drop_graph, drop_weights, name_unknown_op
from small_models import export

from packager.contract import read_contract
from packager.errors import NotReadyError, PortTakenError, ServableLoadError, WrongAnswerError
from packager.smoketest import smoke, smoke_folder

pytestmark = pytest.mark.tensorflow

Model = Path


@pytest.fixture
def model(pristine: Model, tmp_path: Path) -> Iterator[Model]:
    """A copy to spoil. Afterwards no process serves from it."""
    yield Path(shutil.copytree(pristine, tmp_path / "m"))
    assert serving_from(tmp_path) == []


def serving_from(folder: Path) -> list[str]:
    """Return the command lines of processes that name ``folder``."""
    commands = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            commands.append(process.read_text().replace("\0", " "))
        except OSError:  # it ended meanwhile
            continue
    return [command for command in commands if "packager.serving" in command and str(folder) in command]


def test_a_right_model_answers_in_both_forms(model: Model):
    report = smoke_folder(model)
    assert (report.mode, report.model_name, report.version, report.target) == ("process", "m", 2, str(model))
    assert [(probe.form, probe.batch) for probe in report.probes] == [
        (form, batch) for batch in (1, 2, 5) for form in ("row", "columnar", "grpc")
    ]
    assert report.max_difference < 1e-5
    assert 0 < report.ready_s < 60
    assert all(probe.latency_ms > 0 for probe in report.probes)


def test_a_server_is_asked_over_rest_only_on_request(model: Model):
    assert {probe.form for probe in smoke_folder(model, grpc=False).probes} == {"row", "columnar"}


def test_predictions_are_the_served_ones(model: Model):
    contract = read_contract(model / "2")
    assert contract is not None
    shown = {p.output: p for p in smoke_folder(model).probes[0].predictions}
    place, value = shown["sum"].values[0]
    assert value == pytest.approx(contract.samples[0].outputs["sum"][0].max(), rel=1e-5)
    assert place == contract.samples[0].outputs["sum"][0].argmax()
    assert shown["word_bytes"].values == ((0, "a\N{REPLACEMENT CHARACTER}0"),)


def test_a_lower_version_is_served_on_request(model: Model):
    assert smoke_folder(model, version=1).version == 1


def test_a_relative_path_will_do(model: Model, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(model.parent)
    assert smoke_folder(Path("m")).target == "m"


def test_a_wrong_answer_is_told_with_both_values_and_the_log(model: Model):
    export(model / "2", np.array([[2, 4, 6], [8, 10, np.nan]], np.float32))
    with pytest.raises(WrongAnswerError, match="the server says nan, the source model said") as caught:
        smoke_folder(model)
    assert "Exporting HTTP/REST API" in caught.value.details


@pytest.mark.parametrize(
    ("spoil", "hint"),
    [(drop_weights, "packager convert"), (drop_graph, "packager convert"), (name_unknown_op, "--base")],
)
def test_a_model_that_cannot_be_loaded_is_told_with_what_to_type(
    model: Model, spoil: Callable[[Path], None], hint: str
):
    spoil(model / "2")
    with pytest.raises(ServableLoadError) as caught:
        smoke_folder(model)
    assert hint in caught.value.hint
    assert caught.value.details


def test_a_server_that_is_too_slow_is_given_up(model: Model):
    with pytest.raises(NotReadyError, match=r"not ready after 0\.1 s"):
        smoke_folder(model, timeout=0.1)


def test_a_wanted_port_is_used_or_refused(model: Model, free_port: int):
    told: list[str] = []
    smoke_folder(model, port=free_port, report=lambda event: told.append(event.text))
    assert f"starting the server on port {free_port}" in told
    with socket.create_server(("127.0.0.1", free_port)), pytest.raises(PortTakenError, match=str(free_port)):
        smoke_folder(model, port=free_port)


def test_a_port_that_is_grabbed_meanwhile_is_replaced(model: Model, monkeypatch: pytest.MonkeyPatch):
    """The other process even answers, and says that it serves the model."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Impostor(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"model_version_status": [{"version": "2", "state": "AVAILABLE"}]}')

    with HTTPServer(("127.0.0.1", 0), Impostor) as impostor:
        threading.Thread(target=impostor.serve_forever, daemon=True).start()
        find = smoke.free_port
        ports = iter([impostor.server_address[1]])
        monkeypatch.setattr(smoke, "free_port", lambda but=0: next(ports, None) or find(but=but))
        assert len(smoke_folder(model).probes) == 9
        impostor.shutdown()


def test_parallel_smokes_do_not_meet(model: Model):
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda version: smoke_folder(model, version=version), [1, 2, 1, 2]))
    assert [report.version for report in reports] == [1, 2, 1, 2]


@pytest.mark.parametrize("moment", ["starting the server", "waiting for", "asking"])
def test_ctrl_c_leaves_no_process(model: Model, moment: str):
    script = (
        "from pathlib import Path\n"
        "from packager.smoketest import smoke_folder\n"
        "tell = lambda event: print(event.text, flush=True)\n"
        f"smoke_folder(Path({str(model)!r}), report=tell)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert any(moment in line for line in process.stdout)
    assert serving_from(model) or moment == "starting the server"
    process.send_signal(signal.SIGINT)
    _, traceback = process.communicate(timeout=30)
    assert traceback.rstrip().endswith("KeyboardInterrupt")
