"""The audit's word on real graphs is what the server then does with them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from fixtures_command import Run, SourceModel

import packager as library
from packager.errors import SmokeError
from packager.protocol import message
from packager.smoketest import running_folder
from packager.values import Severity

pytestmark = pytest.mark.tensorflow


def export(folder: Path) -> None:
    """Write models ``fine``, ``python``, ``cudnn``, ``table`` and ``counting``, one signature each."""
    import tensorflow as tf

    numbers, words = tf.TensorSpec([None, 2], tf.float32, "x"), tf.TensorSpec([None], tf.string, "x")
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [1]), -1)
    counter = tf.Variable(0.0)

    def python(x: Any) -> Any:
        with tf.name_scope("lambda_1"):
            return tf.ensure_shape(tf.py_function(lambda value: value * 2, [x], tf.float32), [None, 2])

    def cudnn(x: Any) -> Any:
        with tf.name_scope("lstm_4"):
            lengths, weights = tf.constant([1]), tf.zeros([64])
            return tf.raw_ops.CudnnRNNV3(
                input=x[None], input_h=x[None], input_c=x[None], params=weights, sequence_lengths=lengths
            ).output

    models: dict[str, tuple[Callable[[Any], Any], Any]] = {
        "fine": (lambda x: x * 2, numbers),
        "python": (python, numbers),
        "cudnn": (cudnn, numbers),
        "table": (table.lookup, words),
        "counting": (lambda x: x + counter.assign_add(1.0), numbers),
    }
    for name, (answer, spec) in models.items():
        module = tf.Module()
        module.kept = [table, counter]

        def serve(x: Any, answer: Callable[[Any], Any] = answer) -> dict[str, Any]:
            return {"y": answer(x)}

        function = tf.function(serve, input_signature=[spec]).get_concrete_function()
        tf.saved_model.save(module, str(folder / name / "1"), signatures={"serving_default": function})


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audited")
    export(folder)
    shutil.copytree(folder / "table", folder / "empty")
    graph = folder / "empty" / "1" / "saved_model.pb"
    document = message("SavedModel").FromString(graph.read_bytes())
    del document.meta_graphs[0].signature_def["__saved_model_init_op"]
    del document.meta_graphs[0].collection_def["saved_model_main_op"]
    graph.write_bytes(document.SerializeToString())
    return folder


def answers(model: Path, value: Any) -> requests.Response:
    with running_folder(model) as served:
        return requests.post(f"{served.url}:predict", json={"instances": [value]}, timeout=30)


@pytest.mark.parametrize(("name", "value"), [("fine", [1.0, 2.0]), ("table", "a"), ("counting", [1.0, 2.0])])
def test_what_it_lets_pass_is_served(models: Path, name: str, value: Any) -> None:
    assert library.audit(models / name, base="embedded").errors == ()
    assert answers(models / name, value).status_code == 200


@pytest.mark.parametrize(
    ("name", "value", "rule", "layer"),
    [
        ("python", [1.0, 2.0], "python-op", "lambda_1"),
        ("cudnn", [1.0, 2.0], "gpu-op", "lstm_4"),
        ("empty", "a", "empty-table", ""),
    ],
)
def test_what_it_calls_an_error_is_not_served(
    models: Path, name: str, value: Any, rule: str, layer: str
) -> None:
    (error,) = library.audit(models / name, base="embedded").errors
    assert (error.rule, error.layer) == (rule, layer)
    try:
        answer = answers(models / name, value)
    except SmokeError:
        return  # it was not even loaded
    assert answer.status_code >= 400


def test_what_writes_variables_answers_the_same_request_otherwise(models: Path) -> None:
    (warning,) = library.audit(models / "counting").findings
    assert (warning.rule, warning.severity) == ("writes-state", Severity.WARNING)
    with running_folder(models / "counting") as served:
        said = {
            requests.post(f"{served.url}:predict", json={"instances": [[1.0, 2.0]]}, timeout=30).text
            for _ in range(2)
        }
    assert len(said) == 2


@pytest.mark.parametrize("name", ["keras2_text", "keras3_text"])
def test_recurrent_layers_that_could_run_on_gpus_are_no_fault(
    h5_models: Callable[[str], SourceModel], tmp_path: Path, name: str
) -> None:
    made = library.convert(h5_models(name).path, name="m", output=tmp_path)
    assert {finding.rule for finding in library.audit(made.servable.path).findings} <= {"loop"}


def test_the_command_refuses_what_cannot_be_served(models: Path, packager: Run, tmp_path: Path) -> None:
    done = packager("audit", models / "python")
    assert (done.code, "lambda_1" in done.out) == (25, True)
    assert packager("audit", models / "fine", "--json").json["errors"] == []
    built = packager(
        *("build", models / "python", "--tag", "x:1", "--base", "embedded", "--engine", "none"),
        *("--oci-layout", "image"),
    )
    assert built.code == 25
    assert "layer 'lambda_1'" in built.err
    assert not (tmp_path / "image").exists()


def test_the_table_is_what_the_runtime_knows() -> None:
    script = Path(__file__).resolve().parents[2] / "scripts" / "ops.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
