"""Declared signatures, asked at a running server, against the same steps computed by numpy and Keras."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Serve, Served
from encoded_images import bmp, gif, png

import packager
from packager.errors import PackagerError, SignatureError
from packager.values import ConversionOptions

pytestmark = pytest.mark.tensorflow

MEAN, STD = np.array([120.0, 110.0, 100.0]), np.array([60.0, 50.0, 40.0])
LABELS = ("cat", "dog", "owl")

IMAGES = f"""
[inputs.input_1]
name = "image"
dtype = "uint8"
steps = [
  {{ resize = [16, 16], aspect = "crop" }},
  {{ mean = {MEAN.tolist()}, std = {STD.tolist()} }},
  {{ colour_order = "bgr" }},
]

[outputs.logits]
name = "scores"
activation = "softmax"
labels = {json.dumps(LABELS)}
top_k = 2
"""

TABLE = """
[signatures]
classify = true
regress = true

[inputs.body]
columns = ["height", "weight", "age"]
steps = [{ mean = { dataset = "scaler/mean" }, std = { npz = "statistics.npz", array = "deviation" } }]

[inputs.colour]
steps = [{ vocabulary = ["red", "green", "blue"], unknown = 0 }, { one_hot = 3 }]

[outputs.risk]
labels = ["low", "high"]
"""

TEXT = """
[inputs.words]
name = "text"
steps = [{ split = 5 }, { vocabulary = "words.txt" }]
"""

SEVERAL = """
[outputs.kind]
labels = ["a", "b", "c", "d"]
argmax = true

[outputs.alarm]
threshold = 0.4
labels = ["calm", "alarm"]
"""


def keras_answers(model: Path, *inputs: Any) -> Any:
    """Ask the source model itself."""
    if "input_1" in model.name or model.stem in ("table", "stateful"):
        import tf_keras as library
    else:
        import keras as library
    found = library.models.load_model(model, compile=False)
    return found(list(inputs) if len(inputs) > 1 else inputs[0], training=False)


def softmax(logits: Any) -> Any:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


@pytest.fixture(scope="module")
def images(serve: Serve) -> Served:
    return serve("image_classifier", IMAGES)


@pytest.fixture(scope="module")
def table(serve: Serve) -> Served:
    return serve("table", TABLE)


@pytest.fixture(scope="module")
def text(serve: Serve, models: Path) -> Served:
    (models / "words.txt").write_text("\n[UNK]\ngood\nbad\nday\nnight\n")
    return serve("text", TEXT)


@pytest.fixture(scope="module")
def several(serve: Serve) -> Served:
    return serve("several_outputs", SEVERAL)


def expected_scores(models: Path, pixels: Any) -> Any:
    prepared = ((pixels - MEAN) / STD)[..., ::-1].astype(np.float32)
    return softmax(np.asarray(keras_answers(models / "image_classifier.h5", prepared)))


def assert_best_two(answer: Any, scores: Any) -> None:
    order = np.argsort(scores)[::-1][:2]
    np.testing.assert_allclose(answer["scores"], scores[order], atol=1e-5)
    assert answer["scores_labels"] == [LABELS[i] for i in order]


def test_images_are_sent_as_pixels(images: Served, models: Path) -> None:
    """Twice as wide as high: the middle is cut out."""
    pixels = np.random.RandomState(0).randint(0, 256, (2, 16, 32, 3))
    answers = images.ask(instances=pixels.tolist())["predictions"]
    for answer, scores in zip(answers, expected_scores(models, pixels[:, :, 8:24]), strict=True):
        assert_best_two(answer, scores)


def test_images_are_sent_as_files(images: Served, models: Path) -> None:
    """Of several kinds and sizes, in one request."""
    random = np.random.RandomState(1)
    square, tall = random.randint(0, 256, (16, 16, 3)).astype("u1"), random.randint(0, 256, (40, 16, 3))
    colours = random.randint(0, 256, (128, 3))
    indices = random.randint(0, 128, (16, 16))
    files = [png(square), bmp(square), png(tall.astype("u1")), gif(indices, colours)]
    answers = images.ask(signature_name="bytes", instances=[b64(file) for file in files])["predictions"]
    seen = np.array([square, square, tall[12:28], colours[indices]])
    for answer, scores in zip(answers, expected_scores(models, seen), strict=True):
        assert_best_two(answer, scores)


def test_a_photograph_is_taken_as_jpeg(images: Served, models: Path) -> None:
    import tensorflow as tf

    plain = np.full((16, 16, 3), (200, 30, 90), np.uint8)
    body = {"signature_name": "bytes", "inputs": {"image_bytes": [b64(tf.io.encode_jpeg(plain).numpy())]}}
    answer = {name: value[0] for name, value in images.ask(**body)["outputs"].items()}
    (scores,) = expected_scores(models, plain[np.newaxis])
    assert answer["scores_labels"][0] == LABELS[int(np.argmax(scores))]
    np.testing.assert_allclose(answer["scores"][0], scores.max(), atol=0.02)


def test_what_is_no_image_is_a_bad_request(images: Served) -> None:
    import requests

    body = {"signature_name": "bytes", "instances": [b64(b"no image")]}
    answer = requests.post(f"{images.url}:predict", json=body, timeout=60)
    assert answer.status_code == 400
    assert "Unknown image file format" in answer.json()["error"]


def test_table_columns_have_names_and_statistics(table: Served, models: Path) -> None:
    rows = [
        {"height": 180.0, "weight": 75.5, "age": 33.0, "colour": "green"},
        {"height": 160.0, "weight": 50.0, "age": 70.0, "colour": "blue"},
        {"height": 171.0, "weight": 60.0, "age": 5.0, "colour": "mauve"},
    ]
    body = np.array([[row[key] for key in ("height", "weight", "age")] for row in rows])
    scaled = ((body - (170.0, 70.0, 40.0)) / (10.0, 15.0, 20.0)).astype(np.float32)
    colours = np.eye(3, dtype=np.float32)[[1, 2, 0]]
    expected = np.asarray(keras_answers(models / "table.h5", scaled, colours))
    answers = table.ask(instances=rows)["predictions"]
    np.testing.assert_allclose([answer["risk"] for answer in answers], expected, atol=1e-5)
    assert [answer["risk_label"] for answer in answers] == [
        "high" if p > 0.5 else "low" for p in expected[:, 0]
    ]
    values = table.ask("regress", signature_name="regress", examples=rows)["results"]
    np.testing.assert_allclose(values, expected[:, 0], atol=1e-5)
    classes = table.ask("classify", signature_name="classify", examples=rows)["results"]
    assert [[label for label, _ in pairs] for pairs in classes] == [["low", "high"]] * 3
    np.testing.assert_allclose([pairs[1][1] for pairs in classes], expected[:, 0], atol=1e-5)


def test_text_is_split_and_looked_up(text: Served, models: Path) -> None:
    texts = ["Good day!", "bad, BAD night and more words", ""]
    numbers = np.array([[2, 4, 0, 0, 0], [3, 3, 5, 1, 1], [0, 0, 0, 0, 0]], np.int32)
    expected = np.asarray(keras_answers(models / "text.h5", numbers))
    np.testing.assert_allclose(text.ask(instances=texts)["predictions"], expected, atol=1e-5)


def test_outputs_bring_classes_labels_and_verdicts(several: Served, models: Path) -> None:
    given = np.random.RandomState(3).rand(5, 4).astype(np.float32)
    kind, alarm, place = map(np.asarray, keras_answers(models / "several_outputs.h5", given))
    answer = several.ask(inputs=given.tolist())["outputs"]
    np.testing.assert_allclose(answer["kind"], kind, atol=1e-5)
    np.testing.assert_allclose(answer["place"], place, atol=1e-5)
    assert answer["kind_class"] == kind.argmax(-1).tolist()
    assert answer["kind_label"] == ["abcd"[i] for i in kind.argmax(-1)]
    above = alarm[:, 0] > 0.4
    assert answer["alarm_above"] == [[bool(value)] for value in above]
    assert answer["alarm_label"] == ["alarm" if value else "calm" for value in above]


def test_no_state_goes_from_one_request_to_another(serve: Serve, models: Path) -> None:
    served = serve("stateful", "")
    assert "every request starts from its initial state" in served.conversion.warnings[0]
    (spec,) = served.conversion.signatures[0].inputs
    assert spec.shape == (1, 4, 2)
    given = np.random.RandomState(4).rand(1, 4, 2).astype(np.float32)
    expected = np.asarray(keras_answers(models / "stateful.h5", given))
    for _ in range(2):
        np.testing.assert_allclose(served.ask(instances=given.tolist())["predictions"], expected, atol=1e-5)


@pytest.mark.parametrize("name", ["image_classifier", "table"])
def test_methods_are_those_that_servers_look_for(name: str, request: pytest.FixtureRequest) -> None:
    served: Served = request.getfixturevalue({"image_classifier": "images", "table": "table"}[name])
    cli = Path(sys.executable).with_name("saved_model_cli")
    folder = served.conversion.servable.path
    told = subprocess.run(
        [cli, "show", "--dir", folder, "--all"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    ).stdout
    blocks = re.split(r"signature_def\['(\w+)'\]:", told)[1:]
    methods = {
        key: found[1]
        for key, block in zip(blocks[::2], blocks[1::2], strict=True)
        if (found := re.search(r"Method name is: (tensorflow\S+)", block))
    }
    wanted = {"serving_default": "predict", "bytes": "predict", "classify": "classify", "regress": "regress"}
    keys = [signature.key for signature in served.conversion.signatures]
    assert methods == {key: f"tensorflow/serving/{wanted[key]}" for key in keys}


def test_every_signature_passes_the_smoke_test(images: Served, table: Served, several: Served) -> None:
    """Over REST and gRPC, with what was recorded at conversion."""
    for served in (images, table, several):
        report = packager.smoke(served.conversion.servable.path.parent)
        assert {probe.signature for probe in report.probes} == {
            signature.key for signature in served.conversion.signatures
        }
        assert {"row", "columnar", "grpc"} <= {probe.form for probe in report.probes}


def test_unscaled_images_are_warned_of(models: Path, tmp_path: Path, images: Served) -> None:
    assert images.conversion.warnings == ()
    plain = packager.convert(models / "image_classifier.h5", name="m", output=tmp_path)
    (warning,) = plain.warnings
    assert "input 'input_1' looks like images, and nothing scales them" in warning


WRONG = {
    "[inputs.x]\nname = 'y'": "no input named 'x'",
    "[outputs.x]\nname = 'y'": "no output named 'x'",
    "[inputs.input_1]\nsteps = [{ resize = [8, 8] }]": "the height of 8 where 16 is wanted",
    "[inputs.input_1]\nsteps = [{ mean = [1, 2] }]": "mean and std of 2 where 3 is wanted",
    "[inputs.input_1]\nsteps = [{ one_hot = 4 }]": "one_hot of 4 where 3 is wanted",
    "[inputs.input_1]\nsteps = [{ split = 4 }]": "a vocabulary has to follow",
    "[inputs.input_1]\nshape = [16, 16, 4]": "cannot have shape [16, 16, 4]",
    "[inputs.input_1]\ndtype = 'string'": "cannot be sent as string",
    "[outputs.logits]\nlabels = ['a']": "1 labels for output logits",
    "[outputs.logits]\ntop_k = 9": "top_k = 9 of 3",
    "[signatures]\nregress = true": "no signature 'regress'",
}


@pytest.mark.parametrize("declaration", WRONG)
def test_what_the_model_cannot_have_is_refused(declaration: str, models: Path, tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(declaration)
    with pytest.raises(SignatureError, match=re.escape(WRONG[declaration])):
        packager.convert(
            models / "image_classifier.h5",
            name="m",
            output=tmp_path,
            options=ConversionOptions(signature=file),
        )
    assert not (tmp_path / "m").exists()
    assert issubclass(SignatureError, PackagerError)
