"""Containers in the real engine: what they may do, how they end, and that they are always removed."""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable

import docker
import pytest

from packager.engine import Container, ContainerSpec, ContainerState, Engine
from packager.engine.containers import LABEL
from packager.errors import ImageNotFoundError, PortTakenError, ServerStartError
from packager.values import ImageReference

pytestmark = pytest.mark.engine


def eventually(container: Container, condition: Callable[[ContainerState], bool]) -> ContainerState:
    deadline = time.monotonic() + 20
    while not condition(state := container.state()):
        assert time.monotonic() < deadline, f"{state}\n{container.logs()}"
        time.sleep(0.05)
    return state


def ended(state: ContainerState) -> bool:
    return state.exit_code is not None


def shell(base: ImageReference, script: str, **options: object) -> ContainerSpec:
    return ContainerSpec(image=str(base), arguments=("sh", "-c", script), **options)  # type: ignore[arg-type]


def output(engine: Engine, spec: ContainerSpec) -> str:
    with engine.container(spec) as container:
        container.start()
        eventually(container, ended)
        return container.logs()


def exists(container_id: str) -> bool:
    client = docker.from_env()
    try:
        return any(c.id == container_id for c in client.containers.list(all=True))
    finally:
        client.close()


def test_it_runs_read_only_without_capabilities_or_new_privileges(
    engine: Engine, tiny_base: ImageReference
) -> None:
    script = "touch /written; cat /proc/self/status"
    status = output(engine, shell(tiny_base, script, user="65532:65532"))
    assert "Read-only file system" in status
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == ["65532"] * 4
    assert {int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {0}
    assert fields["NoNewPrivs"] == "1"


def test_what_is_locked_can_be_opened(engine: Engine, tiny_base: ImageReference) -> None:
    spec = shell(
        tiny_base,
        "touch /written && touch /scratch/written && cat /proc/self/status",
        read_only=False,
        drop_capabilities=False,
        no_new_privileges=False,
        tmpfs=("/scratch",),
    )
    fields = dict(line.split(":\t", 1) for line in output(engine, spec).splitlines() if ":\t" in line)
    assert fields["NoNewPrivs"] == "0"
    assert int(fields["CapEff"], 16) != 0


def test_the_environment_and_the_arguments_arrive(engine: Engine, tiny_base: ImageReference) -> None:
    spec = ContainerSpec(
        image=str(tiny_base),
        arguments=("sh", "-c", 'echo "$GREETING $1"', "sh", "two words"),
        environment={"GREETING": "hello"},
    )
    assert output(engine, spec) == "hello two words\n"


def test_it_can_be_recognised(engine: Engine, tiny_base: ImageReference) -> None:
    with engine.container(shell(tiny_base, "exit", labels={"mine": "yes"})) as container:
        found = docker.from_env().containers.get(container.id)
        assert found.name.startswith("packager-")
        assert found.labels[LABEL] == found.name
        assert found.labels["mine"] == "yes"


@pytest.mark.parametrize("failure", [None, ValueError, KeyboardInterrupt, SystemExit])
def test_it_is_removed_whatever_happens(
    engine: Engine, tiny_base: ImageReference, failure: type[BaseException] | None
) -> None:
    with pytest.raises(failure or ZeroDivisionError), engine.container(shell(tiny_base, "sleep 600")) as made:
        made.start()
        raise failure or ZeroDivisionError
    assert not exists(made.id)


def test_it_is_removed_when_interrupted_while_the_engine_creates_it(
    engine: Engine, tiny_base: ImageReference, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = docker.APIClient.create_container
    created = []

    def interrupted(*arguments: object, **options: object) -> None:
        created.append(create(*arguments, **options)["Id"])  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(docker.APIClient, "create_container", interrupted)
    with pytest.raises(KeyboardInterrupt), engine.container(shell(tiny_base, "exit")):
        raise AssertionError("it was created")
    assert len(created) == 1
    assert not exists(created[0])


def test_an_image_that_is_not_there_is_named(engine: Engine) -> None:
    absent = ContainerSpec(image="packager-test/absent:1")
    with pytest.raises(ImageNotFoundError, match=r"'packager-test/absent:1'"), engine.container(absent):
        raise AssertionError("it was created")


def test_each_port_is_published_on_loopback_at_a_port_of_its_own(
    engine: Engine, tiny_base: ImageReference
) -> None:
    with engine.container(shell(tiny_base, "sleep 600", ports=(8500, 8501))) as container:
        container.start()
        ports = {container.port(8500), container.port(8501)}
        assert len(ports) == 2
        for port in ports:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        bindings = docker.from_env().containers.get(container.id).attrs["NetworkSettings"]["Ports"]
        assert {b["HostIp"] for published in bindings.values() for b in published} == {"127.0.0.1"}


def test_a_port_can_be_asked_for(engine: Engine, tiny_base: ImageReference, free_port: int) -> None:
    spec = shell(tiny_base, "sleep 600", ports=(8501,), host_ports={8501: free_port})
    with engine.container(spec) as container:
        container.start()
        assert container.port(8501) == free_port


def test_a_port_taken_by_a_process_is_an_error_of_its_own(engine: Engine, tiny_base: ImageReference) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        spec = shell(tiny_base, "sleep 600", ports=(8501,), host_ports={8501: port})
        with (
            engine.container(spec) as container,
            pytest.raises(PortTakenError, match=f"port {port} is in use"),
        ):
            container.start()
    assert not exists(container.id)


def test_a_port_taken_by_a_container_is_an_error_of_its_own(
    engine: Engine, tiny_base: ImageReference, free_port: int
) -> None:
    spec = shell(tiny_base, "sleep 600", ports=(8501,), host_ports={8501: free_port})
    with engine.container(spec) as first, engine.container(spec) as second:
        first.start()
        with pytest.raises(PortTakenError, match=f"port {free_port} is in use"):
            second.start()


@pytest.mark.parametrize("program", ["/bin/absent", "/etc"])
def test_an_entry_point_that_cannot_run_is_told_in_the_engine_s_words(
    engine: Engine, tiny_base: ImageReference, program: str
) -> None:
    spec = ContainerSpec(image=str(tiny_base), arguments=(program,))
    with engine.container(spec) as container, pytest.raises(ServerStartError, match=r"did not start: .*exec"):
        container.start()


def test_a_server_that_dies_at_start_leaves_its_code_and_its_log(
    engine: Engine, tiny_base: ImageReference
) -> None:
    with engine.container(
        shell(tiny_base, "echo one; echo two; echo three >&2; exit 7", ports=(1,))
    ) as container:
        assert container.state() == ContainerState(running=False, exit_code=None, oom_killed=False, error="")
        container.start()
        state = eventually(container, ended)
        assert state == ContainerState(running=False, exit_code=7, oom_killed=False, error="")
        assert sorted(container.logs().split()) == ["one", "three", "two"]
        assert len(container.logs(tail=2).split()) == 2
        with pytest.raises(ServerStartError, match=r"port 1 .* is not published") as caught:
            container.port(1)
        assert "two" in str(caught.value.details)


def test_running_out_of_memory_is_seen(engine: Engine, tiny_base: ImageReference) -> None:
    # tail keeps what has no line end in memory, and /dev/zero never has one.
    spec = ContainerSpec(image=str(tiny_base), arguments=("tail", "/dev/zero"), memory_bytes=32 << 20)
    with engine.container(spec) as container:
        container.start()
        state = eventually(container, ended)
    assert (state.oom_killed, state.exit_code) == (True, 137)


def test_stopping_asks_first_and_kills_then(engine: Engine, tiny_base: ImageReference) -> None:
    with engine.container(
        shell(tiny_base, "trap 'exit 3' TERM; echo up; while :; do sleep 0.1; done")
    ) as polite:
        polite.start()
        eventually(polite, lambda _: "up" in polite.logs())
        assert polite.stop(timeout=10).exit_code == 3
    with engine.container(shell(tiny_base, "trap '' TERM; echo up; while :; do sleep 0.1; done")) as deaf:
        deaf.start()
        eventually(deaf, lambda _: "up" in deaf.logs())
        assert deaf.stop(timeout=1).exit_code == 137


def test_files_are_read_from_a_container_that_never_ran(engine: Engine, tiny_base: ImageReference) -> None:
    with engine.container(shell(tiny_base, "exit")) as container:
        stream = io.BytesIO(b"".join(container.archive("/etc/not-a-program")))
        with tarfile.open(fileobj=stream) as archive:
            content = archive.extractfile("not-a-program")
            assert content is not None
            assert content.read() == b"neither a script nor a binary\n"
        with pytest.raises(ImageNotFoundError, match="no '/models/absent'"):
            b"".join(container.archive("/models/absent"))


def test_the_log_is_shown_even_where_it_is_not_text(engine: Engine, tiny_base: ImageReference) -> None:
    assert output(engine, shell(tiny_base, r"printf 'a\377b\n'")) == "a\N{REPLACEMENT CHARACTER}b\n"


def test_no_container_of_ours_outlives_an_interrupted_process(
    engine: Engine, tiny_base: ImageReference
) -> None:
    script = (
        "import time\n"
        "from packager.engine import ContainerSpec, connect\n"
        f"spec = ContainerSpec(image={str(tiny_base)!r}, arguments=('sleep', '600'))\n"
        "with connect().container(spec) as container:\n"
        "    container.start(); print(container.id, flush=True); time.sleep(600)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    container_id = process.stdout.readline().decode().strip()
    assert exists(container_id)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    assert not exists(container_id)
