from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from packager.errors import PortTakenError
from packager.smoketest import process as process_module
from packager.smoketest.process import check_free, free_port, run_process


def program(text: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(text)]


def wait_for(condition, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_is_ended_when_the_block_is_left():
    with run_process(program("import time; print('up'); time.sleep(60)"), rest_port=1) as server:
        wait_for(lambda: "up" in server.logs())
        assert server.exit() is None
    assert not alive(server.pid)


def test_a_server_is_ended_when_the_block_fails():
    with (
        pytest.raises(RuntimeError),
        run_process(program("import time; time.sleep(60)"), rest_port=1) as server,
    ):
        raise RuntimeError
    assert not alive(server.pid)


def test_a_server_that_ignores_being_asked_is_killed(monkeypatch):
    monkeypatch.setattr(process_module, "PATIENCE", 0.3)
    stubborn = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf")
        time.sleep(60)
    """
    with run_process(program(stubborn), rest_port=1) as server:
        wait_for(lambda: "deaf" in server.logs())
    assert not alive(server.pid)
    assert server.exit().exit_code == 128 + signal.SIGKILL


def test_an_exit_is_told_with_its_code_and_the_log_is_kept():
    with run_process(program("import sys; print('out'); sys.exit('err')"), rest_port=1) as server:
        wait_for(server.exit)
        assert server.exit().exit_code == 1
        assert server.logs() == "out\nerr\n"


def test_a_death_by_signal_counts_as_shells_count_it():
    with run_process(program("import os; os.kill(os.getpid(), 11)"), rest_port=1) as server:
        wait_for(server.exit)
        assert str(server.exit()) == "exit code 139 (SIGSEGV)"


def test_a_long_log_keeps_its_end():
    text = "print('first'); print('x' * 1_000_000); print('last')"
    with run_process(program(text), rest_port=1) as server:
        wait_for(server.exit)
        assert server.logs().endswith("xxx\nlast\n")
        assert len(server.logs()) <= 256 * 1024


def test_the_address_counts_only_once_the_server_says_that_the_port_is_its_own():
    text = (
        "import time; time.sleep(0.3); print('Exporting HTTP/REST API at:localhost:1234 ...'); time.sleep(60)"
    )
    with run_process(program(text), rest_port=1234) as server:
        assert server.rest_url() is None
        wait_for(server.rest_url)
        assert server.rest_url() == "http://127.0.0.1:1234"


def test_a_free_port_can_be_listened_on():
    port = free_port()
    assert check_free(port) == port


def test_a_taken_port_is_refused_by_its_number():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortTakenError, match=f"port {port} is not to be had: Address already in use"):
            check_free(port)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_no_server(number, tmp_path: Path):
    pid_file = tmp_path / "pid"
    text = f"""
        import pathlib, signal, sys, time
        from packager.smoketest.process import run_process
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        with run_process([sys.executable, "-c", "import time; time.sleep(60)"], rest_port=1) as server:
            pathlib.Path({str(pid_file)!r}).write_text(str(server.pid) + ".")
            time.sleep(60)
    """
    outer = subprocess.Popen(program(text), stderr=subprocess.DEVNULL)
    wait_for(lambda: pid_file.exists() and pid_file.read_text().endswith("."))
    outer.send_signal(number)
    assert outer.wait(10) != 0
    assert not alive(int(pid_file.read_text().rstrip(".")))


def test_an_interruption_while_a_server_is_being_started_leaves_none(monkeypatch):
    """The interruption arrives inside Popen, when the child exists and nobody has been told its id."""
    started = []
    real = subprocess.Popen

    def interrupted(*args, **kwargs):
        started.append(real(*args, **kwargs))
        signal.raise_signal(signal.SIGINT)
        return started[0]

    monkeypatch.setattr(process_module.subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt), run_process(program("import time; time.sleep(60)"), rest_port=1):
        pytest.fail("the block was entered")
    assert started[0].poll() is not None
