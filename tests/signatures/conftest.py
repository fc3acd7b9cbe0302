"""Trained models, converted with their declarations, behind one server for all tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from served import EXAMPLES, FILES, NAMES, OTHERS, Model, convert, free_port, wait_until_available


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the ``.h5`` files, what belongs to them, and their declarations."""
    folder = tmp_path_factory.mktemp("trained")
    maker = Path(__file__).with_name("make_trained.py")
    made = subprocess.run([sys.executable, maker, folder], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    for name, text in {**EXAMPLES, **OTHERS}.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


@pytest.fixture(scope="session")
def models(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Model]]:
    """All models by name, each converted by the command, and served."""
    with ThreadPoolExecutor(2) as pool:
        said = dict(zip(NAMES, pool.map(lambda name: convert(trained, name), NAMES), strict=True))
    config = tmp_path_factory.mktemp("config") / "models.conf"
    entries = "".join(
        f'config {{ name: "{n}" base_path: "{trained}/models/{n}" model_platform: "tensorflow" }}\n'
        for n in NAMES
    )
    config.write_text(f"model_config_list {{\n{entries}}}\n")
    rest_port, grpc_port = free_port(), free_port()
    log = config.with_name("server.log")
    with (
        log.open("wb") as written,
        subprocess.Popen(
            [
                *(sys.executable, "-m", "packager.serving", f"--model_config_file={config}"),
                *(f"--rest_api_port={rest_port}", f"--port={grpc_port}"),
                *("--rest_api_address=127.0.0.1", "--grpc_address=127.0.0.1"),
            ],
            stderr=written,
        ) as server,
    ):
        try:
            wait_until_available(server, rest_port, log)
            yield {
                name: Model(
                    name=name,
                    folder=trained / "models" / name / "1",
                    said=said[name],
                    answers=dict(np.load(trained / f"{FILES.get(name, name)}.answers.npz")),
                    rest_port=rest_port,
                    grpc_port=grpc_port,
                )
                for name in NAMES
            }
        finally:
            server.kill()
