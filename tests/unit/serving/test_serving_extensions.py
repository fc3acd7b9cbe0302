"""What needs more of the tensorflow wheel than an image has, where it is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from packager.serving.native import lite, profiler
from packager.serving.status import Code, StatusError


def test_a_server_without_the_profiler_takes_no_traces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiler, "tensorflow_folder", lambda: tmp_path)
    with pytest.raises(StatusError) as refused:
        profiler.Profiler().trace(0.01, host="here")
    assert refused.value.code is Code.UNIMPLEMENTED
    assert refused.value.message.startswith(f"this server has no profiler: {tmp_path}/python/profiler/")


def test_a_server_without_the_interpreter_loads_no_lite_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lite, "tensorflow_folder", lambda: tmp_path)
    with pytest.raises(StatusError) as refused:
        lite.LiteSession(tmp_path / "model.tflite")
    assert refused.value.code is Code.UNIMPLEMENTED
    assert refused.value.message.startswith(f"this server cannot run TensorFlow Lite: {tmp_path}/lite/")
