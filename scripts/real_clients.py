"""Has real clients of TensorFlow Serving ask the embedded server, each in an environment of its own.

Clients bring modules of the same names (``tensorflow``, ``tensorflow_serving``), so each gets a folder of its
own; those of 2020 need a protobuf that this project's environment cannot have.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PROGRAMS = Path(__file__).with_name("clients")
ENVIRONMENTS = REPOSITORY / ".venv-clients"
OLD = ENVIRONMENTS / "old"
OLD_NEEDS = ("protobuf==3.20.3", "grpcio", "numpy")
PATIENCE = 120

sys.path.insert(0, str(REPOSITORY / "tests" / "serving"))
from embedded_server import config_file, serving  # noqa: E402


@dataclass(frozen=True, kw_only=True)
class Client:
    package: str
    program: str
    old: bool = False

    @property
    def folder(self) -> Path:
        return ENVIRONMENTS / self.package

    @property
    def python(self) -> str:
        return str(OLD / "bin" / "python") if self.old else sys.executable


CLIENTS = (
    Client(package="ovmsclient==2023.1", program="ovms.py"),
    Client(package="min-tfs-client==1.0.2", program="min_tfs.py", old=True),
    Client(package="tensorflow-serving-client-grpc==2.3.0", program="serving_client_grpc.py", old=True),
    Client(package="tensorflow-serving-api==2.19.1", program="serving_api.py"),  # takes a model away
)


def install() -> None:
    """Install what is not there yet."""
    if not (OLD / "installed").exists():
        venv.create(OLD, with_pip=True, clear=True)
        run([OLD / "bin" / "python", "-m", "pip", "install", "-q", *OLD_NEEDS])
        (OLD / "installed").touch()
    for client in CLIENTS:
        if not (client.folder / "installed").exists():
            shutil.rmtree(client.folder, ignore_errors=True)
            pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", client.folder]
            run([*pip, client.package])
            (client.folder / "installed").touch()


def run(command: list[str | Path], **environment: str) -> None:
    """Run a command that has to succeed."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, **environment}
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}\n{done.stdout}{done.stderr}")


def main() -> None:
    began = time.monotonic()
    install()
    print(f"{'clients installed':<40} {time.monotonic() - began:6.1f} s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run([sys.executable, REPOSITORY / "tests" / "serving" / "small_models.py", folder / "models"])
        configured = (
            f'name: "{model}" base_path: "{folder / "models" / model}"' for model in ("affine", "echo_string")
        )
        with serving(model_config_file=config_file(folder / "models.conf", *configured)) as server:
            server.wait_until_ready()
            where = [str(server.rest_port), str(server.grpc_port), str(folder / "models" / "affine")]
            ask("curl", ["sh", PROGRAMS / "curl.sh", *where])
            for client in CLIENTS:
                command = [client.python, PROGRAMS / client.program, *where]
                ask(client.package, command, PYTHONPATH=str(client.folder))
            if server.end() != 0:
                sys.exit(f"the server did not end well:\n{server.log()}")


def ask(name: str, command: list[str | Path], **environment: str) -> None:
    began = time.monotonic()
    run(command, **environment)
    print(f"{name:<40} {time.monotonic() - began:6.1f} s  ok", flush=True)


if __name__ == "__main__":
    main()
