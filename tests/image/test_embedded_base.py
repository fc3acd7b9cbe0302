"""The embedded base: made of this machine's parts, the same each time, and enough to run TensorFlow on."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from packager import labels
from packager.engine import ContainerSpec, Engine
from packager.errors import BaseUnavailableError
from packager.image import Runtime, build_image, describe_base, embedded_runtime
from packager.image.cache import Cache
from packager.image.embedded.layers import part_layer
from packager.image.embedded.parts import Part
from packager.image.embedded.runtime import host_platform
from packager.image.tarball import Entry
from packager.progress import Event
from packager.values import ImageReference, ServableVersion, ServingOptions, VersionLabel

pytestmark = pytest.mark.tensorflow

NewTag = Callable[..., ImageReference]

STAND_IN = """
import ctypes, json, os, signal, sys, time
import google.protobuf, httptools, uvloop
from pathlib import Path
from tensorflow.core.protobuf import saved_model_pb2
import tensorflow

folder = Path(next(iter(tensorflow.__path__)))
ctypes.CDLL(str(folder / "libtensorflow_framework.so.2"))
library = ctypes.CDLL(str(folder / "libtensorflow_cc.so.2"))
library.TF_Version.restype = ctypes.c_char_p
print(json.dumps({
    "version": library.TF_Version().decode(),
    "arguments": sys.argv[1:],
    "user": os.getuid(),
    "graph": saved_model_pb2.SavedModel().saved_model_schema_version,
    "python": sys.version,
    "bytecode": saved_model_pb2.__cached__,
}), flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
time.sleep(600)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package ``packager`` whose server tells what it runs on."""
    folder = tmp_path_factory.mktemp("server")
    package = folder / "packager" / "serving"
    package.mkdir(parents=True)
    (folder / "packager" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(STAND_IN)
    return folder


@pytest.fixture(scope="module")
def runtime(server: Path) -> Runtime:
    """The embedded base around that server; the rest of it comes from this user's cache."""
    return embedded_runtime(server=server)


@pytest.fixture
def servable(tmp_path: Path) -> ServableVersion:
    path = tmp_path / "digits" / "1"
    path.mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(b"graph")
    return ServableVersion(name="digits", version=1, path=path)


HALF_PLUS_TWO = """
import sys
import tensorflow as tf

class HalfPlusTwo(tf.Module):
    def __init__(self):
        self.slope, self.offset = tf.Variable(0.5), tf.Variable(tf.fill([300_000], 2.0))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def __call__(self, x):
        return {"y": self.slope * x + self.offset[0]}

model = HalfPlusTwo()
tf.saved_model.save(model, sys.argv[1], signatures=model.__call__)
"""


@pytest.fixture
def half_plus_two(tmp_path: Path) -> ServableVersion:
    """A SavedModel that computes x / 2 + 2, with weights that are worth a layer of their own."""
    path = tmp_path / "half" / "7"
    subprocess.run([sys.executable, "-c", HALF_PLUS_TWO, str(path)], check=True, capture_output=True)
    return ServableVersion(name="half", version=7, path=path)


def installed_tensorflow() -> str:
    """Return TensorFlow's version, by whichever name the wheel has."""
    (name,) = set(importlib.metadata.packages_distributions()["tensorflow"])
    return importlib.metadata.version(name)


def test_it_is_small_and_tells_its_parts(runtime: Runtime) -> None:
    sizes = dict(runtime.sizes)
    assert list(sizes) == ["system", "python", "tensorflow", "distributions", "server"]
    assert sum(sizes.values()) == runtime.image.size < 700e6
    assert sizes["system"] + sizes["python"] + sizes["distributions"] < 80e6
    assert runtime.image.platform == host_platform()


def test_it_is_named_by_its_parts(runtime: Runtime) -> None:
    version = installed_tensorflow()
    kind, _, digest = runtime.label.partition("@sha256:")
    assert kind == "embedded"
    assert str(runtime.reference) == f"tfserving-packager/runtime:{version}-{digest[:12]}"
    assert runtime.image.config["config"]["Labels"][labels.TENSORFLOW] == version


def test_a_second_machine_would_make_the_same(runtime: Runtime, server: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    began = time.monotonic()
    anew = embedded_runtime(cache=Cache(tmp_path), server=server, report=events.append)
    assert time.monotonic() - began < 60
    assert sum(event.text.startswith("making the runtime's") for event in events) == 5
    assert anew.image == runtime.image
    assert not list(tmp_path.glob(".work-*"))


def test_only_what_changed_is_made_anew(runtime: Runtime, server: Path) -> None:
    events: list[Event] = []
    assert embedded_runtime(server=server, report=events.append).image == runtime.image
    assert not any(event.text.startswith("making") for event in events)
    main = server / "packager" / "serving" / "__main__.py"
    main.write_text(f"{STAND_IN}\n# changed\n")
    changed = embedded_runtime(server=server, report=events.append)
    assert [e.text for e in events if e.text.startswith("making")] == ["making the runtime's server layer"]
    assert changed.image.layers[:4] == runtime.image.layers[:4]
    assert changed.label != runtime.label
    main.write_text(STAND_IN)


def test_two_runs_at_a_time_do_not_meet(tmp_path: Path) -> None:
    events: list[Event] = []
    cache = Cache(tmp_path)
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from packager.image.cache import Cache\n"
        "with Cache(Path(sys.argv[1])).locked(lambda event: None):\n"
        "    print('locked', flush=True); time.sleep(1)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        began = time.monotonic()
        with cache.locked(events.append):
            assert time.monotonic() - began > 0.5
    assert events[0].text == f"waiting for another run that fills the cache '{tmp_path}'"


def test_without_binutils_it_is_bigger_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\x7fELF" + bytes(2 << 20))
    part = Part(name="test", entries=(Entry(path="binary", source=binary),))
    events: list[Event] = []
    monkeypatch.setenv("PATH", str(tmp_path))
    layer = part_layer(part, Cache(tmp_path / "cache"), events.append)
    assert layer.blob.size > 2 << 20
    assert any("apt-get install binutils" in event.text for event in events)


def told_by(log: str) -> dict[str, Any]:
    """Return what STAND_IN printed, nothing until it has; TensorFlow may log lines of its own."""
    lines = [line for line in log.splitlines(keepends=True) if line.startswith("{") and line.endswith("\n")]
    return dict(json.loads(lines[0])) if lines else {}


@pytest.mark.engine
def test_tensorflow_runs_on_it_locked_down(
    engine: Engine, runtime: Runtime, servable: ServableVersion, new_tag: NewTag
) -> None:
    runtime.ensure_loaded(engine)
    try:
        built = build_image([servable], new_tag(), base=str(runtime.reference), engine=engine)
        spec = ContainerSpec(image=str(built.reference), arguments=("--flag",), memory_bytes=1 << 30)
        with engine.container(spec) as container:
            container.start()
            deadline = time.monotonic() + 60
            while not (told := told_by(container.logs())):
                assert container.state().running, container.logs()
                assert time.monotonic() < deadline, container.logs()
                time.sleep(0.05)
            state = container.stop()
    finally:
        engine.remove_image(str(runtime.reference))
    assert told["version"] == installed_tensorflow()
    assert told["arguments"] == [
        "--port=8500",
        "--rest_api_port=8501",
        "--max_num_load_retries=0",
        "--model_name=digits",
        "--model_base_path=/models/digits",
        "--flag",
    ]
    assert told["user"] == 65532
    assert told["python"] == sys.version
    assert told["bytecode"].endswith(f"saved_model_pb2.{sys.implementation.cache_tag}.pyc")
    assert state.exit_code == 5


@pytest.mark.engine
def test_packager_s_own_server_predicts_on_it(
    engine: Engine, half_plus_two: ServableVersion, new_tag: NewTag
) -> None:
    built = build_image([half_plus_two], new_tag(), base="embedded", engine=engine)
    assert built.base_kind == "embedded"
    spec = ContainerSpec(image=str(built.reference), ports=(8501,), memory_bytes=512 << 20)
    with engine.container(spec) as container:
        container.start()
        url = f"http://127.0.0.1:{container.port(8501)}/v1/models/half/versions/7:predict"
        deadline = time.monotonic() + 60
        while (answer := asked(url)) is None:
            assert container.state().running, container.logs()
            assert time.monotonic() < deadline, container.logs()
            time.sleep(0.05)
        assert answer == {"predictions": [2.5, 3.0, 4.5]}
        while (health := container.state().health) == "starting":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert health == "healthy"
        began = time.monotonic()
        state = container.stop()
        assert time.monotonic() - began < 3
    assert (state.exit_code, state.oom_killed) == (0, False)


@pytest.mark.engine
def test_two_models_are_served_out_of_debian_s_packages(
    engine: Engine, half_plus_two: ServableVersion, new_tag: NewTag, tmp_path: Path
) -> None:
    other = [replace(half_plus_two, name="other", version=version) for version in (1, 2)]
    monitoring = tmp_path / "monitoring.config"
    monitoring.write_text('prometheus_config { enable: true path: "/metrics" }')
    serving = ServingOptions(
        policy="all", labels=(VersionLabel.parse("other/stable=1"),), monitoring=monitoring
    )
    try:
        built = build_image(
            [half_plus_two, *other], new_tag(), serving=serving, base="embedded:debian", engine=engine
        )
    except BaseUnavailableError as error:
        pytest.skip(f"{error} ({error.hint})")
    assert built.model_name == "half, other"
    spec = ContainerSpec(image=str(built.reference), ports=(8501,), memory_bytes=512 << 20)
    with engine.container(spec) as container:
        container.start()
        deadline = time.monotonic() + 60
        while (health := container.state().health) == "starting":
            assert container.state().running, container.logs()
            assert time.monotonic() < deadline, container.logs()
            time.sleep(0.1)
        assert health == "healthy"
        url = f"http://127.0.0.1:{container.port(8501)}"
        for path in ("half/versions/7", "other/versions/2", "other/labels/stable", "half"):
            assert asked(f"{url}/v1/models/{path}:predict") == {"predictions": [2.5, 3.0, 4.5]}, path
        assert requests.get(f"{url}/metrics", timeout=10).ok
    engine.remove_image(built.base)


def asked(url: str) -> object:
    """Return the answer to a prediction request, ``None`` while nobody answers."""
    try:
        return requests.post(url, json={"instances": [1, 2, 5]}, timeout=10).json()
    except requests.ConnectionError:
        return None


@pytest.mark.engine
def test_the_doctor_is_told_of_it(engine: Engine, tiny_base: ImageReference) -> None:
    told = describe_base("embedded")
    assert told.startswith("packager's own runtime (embedded)")
    assert installed_tensorflow() in told
    assert describe_base(str(tiny_base)) == f"{tiny_base} (custom), in the engine already"


def test_no_engine_is_needed_to_put_a_model_on_it(servable: ServableVersion, tmp_path: Path) -> None:
    tag = ImageReference.parse("digits:1")
    built = build_image([servable], tag, base="embedded", engine=None, layout=tmp_path / "layout")
    assert built.base_kind == "embedded"
    assert built.base.startswith("tfserving-packager/runtime:")
    assert built.platform == host_platform()
    blobs = tmp_path / "layout" / "blobs" / "sha256"
    assert len(os.listdir(blobs)) == 6 + 2
    assert sum(path.stat().st_size for path in blobs.iterdir()) < 700e6
