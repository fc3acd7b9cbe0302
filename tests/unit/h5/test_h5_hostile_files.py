"""Whatever a file holds, inspecting it ends soon, in little memory, with a value or an error of ours."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from h5_files import DENSE, dense_model, layer, write_model
from h5py import h5d, h5g, h5s, h5t
from hypothesis import given, settings
from hypothesis import strategies as st

from packager.errors import ModelFileError
from packager.h5 import inspect_file
from packager.h5.architecture import model_inputs, model_layers, model_outputs
from packager.h5.code import code_findings, custom_objects
from packager.h5.config import parse_config, walk
from packager.values import to_json

TEXT = h5py.string_dtype()


def many_groups(file: h5py.File) -> None:
    for number in range(20_000):
        h5g.create(file.id, b"%d" % number)


def many_datasets(file: h5py.File) -> None:
    space = h5s.create(h5s.SCALAR)
    for number in range(8000):
        h5d.create(file.id, b"%d" % number, h5t.IEEE_F32LE, space)


def many_links(file: h5py.File) -> None:
    group = h5g.create(file.id, b"group")
    for number in range(20_000):
        group.links.create_soft(b"soft%d" % number, b"/group")
        group.links.create_hard(b"hard%d" % number, group, b"/group")


def deep_groups(file: h5py.File) -> None:
    group = file
    for _ in range(500):
        group = group.create_group("g")


def deep_json(file: h5py.File) -> None:
    file.attrs.create("model_config", "[" * 500_000 + "]" * 500_000, dtype=TEXT)


def wide_json(file: h5py.File) -> None:
    file.attrs.create("model_config", '{"class_name":"M","config":[' + "[]," * 5_000_000 + "0]}", dtype=TEXT)


def many_layers(file: h5py.File) -> None:
    layers = [layer("Lambda", "l", function=["4wEA"], function_type="lambda")] * 20_000
    file.attrs.create("model_config", json.dumps(dense_model(*layers)), dtype=TEXT)


def many_names(file: h5py.File) -> None:
    file.attrs.create("layer_names", np.array(["name"] * 300_000, dtype=object), dtype=TEXT)


def long_names(file: h5py.File) -> None:
    for number in range(200):
        file.create_group("x" * 60_000 + str(number))


def long_number(file: h5py.File) -> None:
    file.create_group("9" * 60_000)
    file.attrs.create(
        "model_config", '{"class_name":"M","config":{"layers":[' + "9" * 5000 + "]}}", dtype=TEXT
    )


def many_chunks(file: h5py.File) -> None:
    file.create_dataset("chunks", data=np.ones(100_000, "u1"), chunks=(5,))


BOMBS = [
    many_groups,
    many_datasets,
    many_links,
    deep_groups,
    deep_json,
    wide_json,
    many_layers,
    many_names,
    long_names,
    long_number,
    many_chunks,
]
PROGRAM = """
import re, resource, sys
from pathlib import Path
from packager.errors import ModelFileError
from packager.h5 import inspect_file
try:
    inspection = inspect_file(Path(sys.argv[1]))
    print(len(inspection.findings), "findings")
except ModelFileError as error:
    print(error)
usage = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
own = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(sum(u.ru_utime + u.ru_stime for u in usage), (int(own) + usage[1].ru_maxrss) / 1024)
"""


@pytest.mark.parametrize("fill", BOMBS)
def test_bombs_take_little_time_and_memory(tmp_path: Path, fill: Callable[[h5py.File], None]) -> None:
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w", libver="latest") as file:
        fill(file)
    # Processor time, for the machine may be busy. Memory of parent and child, shared pages counted twice.
    told = subprocess.run([sys.executable, "-c", PROGRAM, path], capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, told.stdout.splitlines()[-1].split())
    assert seconds < 3
    assert megabytes < 300
    assert not told.stderr


def test_a_large_honest_file_is_quick_and_its_data_are_not_read(tmp_path: Path) -> None:
    """300 layers and a gigabyte, of which only the headers are there: the rest is a hole."""
    names = [f"dense_{number}" for number in range(300)]
    config = dense_model(*(layer("Dense", name, units=1000, activation="relu") for name in names))
    path = write_model(tmp_path / "large.h5", config)
    with h5py.File(path, "r+", libver="latest") as file:
        weights = file["model_weights"]
        weights.attrs["layer_names"] = names
        for name in names:
            weights.create_group(name).attrs["weight_names"] = [f"{name}/kernel:0", f"{name}/bias:0"]
            kernel = weights.create_dataset(f"{name}/{name}/kernel:0", (900, 1000), "f4")
            kernel[899, 999] = 1  # allocates it
            weights[f"{name}/{name}/bias:0"] = np.ones(1000, "f4")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.process_time()
    inspection = inspect_file(path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert path.stat().st_size > 10**9
    assert inspection.parameters == 300 * (900_000 + 1000)
    assert inspection.findings == ()
    spent = (
        time.process_time() - started + after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    )
    assert spent < 1
    assert after.ru_inblock - before.ru_inblock < 100_000  # of 512 bytes


def inspect_anything(path: Path) -> str:
    """Inspect ``path``; whatever comes of it must be something that can be shown."""
    try:
        inspection = inspect_file(path)
    except ModelFileError:
        return "error"
    json.dumps(to_json(inspection)).encode()
    return inspection.kind.value


KEYS = [
    "class_name",
    "config",
    "layers",
    "name",
    "layer",
    "input_layers",
    "output_layers",
    "batch_input_shape",
    "dtype",
    "module",
    "registered_name",
    "function",
    "function_type",
    "activation",
    "vocabulary",
    "node_def",
    "input_dim",
    "build_input_shape",
    "backward_layer",
]
WORDS = [
    "Sequential",
    "Functional",
    "Lambda",
    "__lambda__",
    "Dense",
    "Bidirectional",
    "InputLayer",
    "TFOpLambda",
    "lambda",
    "function",
    "builtins",
    "keras",
    "os",
    "relu",
    "4wEA",
    "",
    "\ud800",
    "\x00\x1b[2J",
    "a" * 300,
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2**65) | st.floats() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=30,
)


@settings(max_examples=400, deadline=None)
@given(value=JSON, keras3=st.booleans())
def test_any_json_for_a_config(value: Any, keras3: bool) -> None:
    config = {"class_name": "Functional", "config": {"layers": [value, dense_model()], "input_layers": value}}
    for text in (json.dumps(value), json.dumps(config)):
        parsed, _ = parse_config(text, "model_config")
        nodes = list(walk(parsed, "model_config"))
        findings = list(code_findings(nodes, keras3=keras3))
        custom = custom_objects(nodes, keras3=keras3)
        layers = model_layers(parsed, keras3=keras3)
        told = [
            findings,
            list(custom),
            model_inputs(parsed),
            model_outputs(parsed),
            [entry.name for entry in layers],
        ]
        json.dumps(to_json(told), ensure_ascii=False).encode()
        assert all((finding.path + finding.message).isprintable() for finding in findings)


def mutate(content: bytes, source: random.Random) -> bytes:
    """Change some bytes, or some eight of them: addresses and lengths in HDF5 take eight."""
    data = bytearray(content)
    for _ in range(source.choice([1, 2, 8, 32])):
        place = source.randrange(len(data))
        if source.random() < 0.6:
            data[place] = source.randrange(256)
        else:
            value = source.choice([0, 96, len(data), 2**63, 2**64 - 1, source.randrange(len(data))])
            data[place : place + 8] = value.to_bytes(8, "little")
    return bytes(data[: source.randrange(len(data)) if source.random() < 0.05 else None])


@pytest.mark.parametrize("version", ["earliest", "latest"])
def test_damaged_files_are_errors_or_findings(tmp_path: Path, version: str) -> None:
    path = tmp_path / "model.h5"
    write_model(path, dense_model(), {"dense": DENSE, "other": {"w": (3, 3)}})
    if version == "earliest":
        with h5py.File(path) as new, h5py.File(tmp_path / "old.h5", "w") as old:
            new.copy("model_weights", old)
            old.attrs["model_config"] = new.attrs["model_config"]
        path = tmp_path / "old.h5"
    content, source = path.read_bytes(), random.Random(20)
    outcomes = set()
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        path.write_bytes(mutate(content, source))
        outcomes.add(inspect_anything(path))
    assert {"error", "full-model"} <= outcomes
