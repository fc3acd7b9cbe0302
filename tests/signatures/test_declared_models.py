"""Models of each kind with their declared steps: a server answers as training did, in numpy and Keras."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served import EXAMPLES, NAMES, Model, b64

from packager.protocol import message

pytestmark = pytest.mark.tensorflow

Models = dict[str, Model]

PREDICT = "tensorflow/serving/predict"
SIGNATURES = {
    "flowers": {"serving_default": PREDICT, "bytes": PREDICT},
    "digits": {"serving_default": PREDICT, "bytes": PREDICT},
    "credit": {"serving_default": PREDICT, "classify": "tensorflow/serving/classify"},
    "reviews": {"serving_default": PREDICT},
    "sensor": {"serving_default": PREDICT},
    "price": {"serving_default": PREDICT, "regress": "tensorflow/serving/regress"},
    "memory": {"serving_default": PREDICT},
    "nested": {"serving_default": PREDICT},
    "thumbnails": {"serving_default": PREDICT, "bytes": PREDICT},
    "prints": {"serving_default": PREDICT, "bytes": PREDICT},
    "readings": {"serving_default": PREDICT},
    "badges": {"serving_default": PREDICT, "bytes": PREDICT},
    "files": {"bytes": PREDICT},
    "offers": {"classify": "tensorflow/serving/classify"},
    "mail": {"serving_default": PREDICT},
}

SHOW = """
import os, sys
from tensorflow.python.tools import saved_model_cli
for folder in sys.argv[1:]:
    print("folder", folder, flush=True)
    if not (child := os.fork()):  # the command ends its process
        sys.argv = ["saved_model_cli", "show", "--dir", folder, "--all"]
        saved_model_cli.main()
    os.waitpid(child, 0)
"""


def close(answer: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.array(answer, np.float64), expected, rtol=1e-4, atol=1e-5)


def close_to_largest(answer: Any, expected: Any) -> None:
    """Compare what single precision computed of values up to 255."""
    np.testing.assert_allclose(np.array(answer), expected, atol=1e-5 * np.abs(expected).max())


def text(array: Any) -> list[Any]:
    """Decode the bytes that gRPC gives."""
    decoded: list[Any] = np.vectorize(lambda value: value.decode(), otypes=[object])(array).tolist()
    return decoded


def example(**features: float) -> bytes:
    """Serialise an example as a client does: whole numbers apart from others."""
    made = message("Example")()
    for name, value in features.items():
        kind = "int64_list" if isinstance(value, int) else "float_list"
        getattr(made.features.feature[name], kind).value.append(value)
    serialised: bytes = made.SerializeToString()
    return serialised


def test_the_document_has_an_example_for_each_kind_of_input() -> None:
    assert set(EXAMPLES) == {"flowers", "credit", "reviews", "sensor"}


def test_tensorflow_shows_the_method_of_every_signature(models: Models) -> None:
    """``saved_model_cli show``, of all folders in one process."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW, *(str(models[name].folder) for name in NAMES)],
        capture_output=True,
        text=True,
        check=True,
    )
    for name, shown in zip(NAMES, done.stdout.split("folder ")[1:], strict=True):
        found = {}
        for part in shown.split("signature_def['")[1:]:
            method = part.partition("Method name is: ")[2].partition("\n")[0]
            found[part.partition("'")[0]] = method.strip()
        found.pop("__saved_model_init_op", None)
        assert found == SIGNATURES[name]


def test_pixels_of_any_size_are_prepared_as_in_training(models: Models) -> None:
    flowers = models["flowers"]
    pixels = flowers.answers["pixels0"]
    (answer,) = flowers.rest(instances=[{"image": pixels.tolist()}])["predictions"]
    close(answer["scores"], flowers.answers["scores"][0])
    assert answer["scores_labels"] == flowers.answers["labels"][0].tolist()
    given = flowers.grpc(image=pixels[None])
    close(given["scores"], flowers.answers["scores"][:1])


def test_png_jpeg_gif_and_bmp_of_several_sizes_in_one_request(models: Models) -> None:
    flowers = models["flowers"]
    rows = [{"image_bytes": b64(file)} for file in flowers.files]
    answer = flowers.rest(signature_name="bytes", instances=rows)["predictions"]
    close([row["scores"] for row in answer], flowers.answers["scores"])
    assert [row["scores_labels"] for row in answer] == flowers.answers["labels"].tolist()
    given = flowers.grpc("bytes", image_bytes=np.array(flowers.files, object))
    close(given["scores"], flowers.answers["scores"])
    assert text(given["scores_labels"]) == flowers.answers["labels"].tolist()


def test_grey_images_come_of_every_format(models: Models) -> None:
    """TensorFlow decodes GIF and BMP to colours only."""
    digits = models["digits"]
    rows = [{"pixels_bytes": b64(file)} for file in digits.files]
    answer = digits.rest(signature_name="bytes", instances=rows)["predictions"]
    close(answer, digits.answers["scores"])


def test_a_model_that_scales_images_itself_takes_files_undeclared(models: Models) -> None:
    badges = models["badges"]
    rows = [{"badge_bytes": b64(file)} for file in badges.files]
    answer = badges.rest(signature_name="bytes", instances=rows)["predictions"]
    close(answer, badges.answers["scores"])


def test_what_is_no_image_is_refused(models: Models) -> None:
    for name, key in (("flowers", "image_bytes"), ("digits", "pixels_bytes")):
        body = {"signature_name": "bytes", "instances": [{key: b64(b"no image")}]}
        answer = models[name].post("predict", body)
        assert answer.status_code == 400
        assert "Unknown image file format" in answer.text


def test_a_fixed_batch_of_pictures_with_their_proportions(models: Models) -> None:
    """Two by two, black around them, as ``preprocess_input`` of mode caffe has them."""
    thumbnails = models["thumbnails"]
    expected = thumbnails.answers["padded caffe"]
    for first in (0, 2):
        rows = [{"pixels_bytes": b64(file)} for file in thumbnails.files[first : first + 2]]
        answer = thumbnails.rest(signature_name="bytes", instances=rows)["predictions"]
        close_to_largest(answer, expected[first : first + 2])
    one = thumbnails.post("predict", {"signature_name": "bytes", "instances": rows[:1]})
    assert one.status_code == 400, one.text
    pixels = thumbnails.answers["pixels0"]
    close_to_largest(
        thumbnails.grpc(pixels=np.stack([pixels.astype(np.float32)] * 2))["logits"], expected[[0, 0]]
    )
    alone = thumbnails.post("predict", {"instances": [pixels.tolist()]})
    assert alone.status_code == 400, alone.text


def test_colours_the_other_way_round(models: Models) -> None:
    """Then as ``preprocess_input`` of mode torch has them."""
    prints = models["prints"]
    rows = [{"pixels_bytes": b64(file)} for file in prints.files]
    close(prints.rest(signature_name="bytes", instances=rows)["predictions"], prints.answers["bgr torch"])
    pixels = prints.answers["pixels0"][None]
    close(prints.grpc(pixels=pixels.astype(np.float32))["logits"], prints.answers["bgr torch"][:1])


def test_windows_are_filled_and_cut_at_their_end(models: Models) -> None:
    readings = models["readings"]
    short = readings.answers["windows"] * 0.001
    long = np.concatenate([short, np.full((3, 3, 2), 0.5), np.full((3, 4, 2), 9.0)], axis=1)
    for windows in (short, long):
        answer = readings.rest(inputs=windows.tolist())["outputs"]
        close(answer["the state"], readings.answers["state of ended"])


def test_a_layer_of_the_model_takes_texts(models: Models) -> None:
    mail = models["mail"]
    texts = mail.answers["texts"]
    close(mail.rest(instances=texts.tolist())["predictions"], mail.answers["spam"])
    close(mail.grpc(text=np.char.encode(texts).astype(object))["spam"], mail.answers["spam"])


def test_a_table_by_its_columns(models: Models) -> None:
    credit = models["credit"]
    rows, regions = credit.answers["rows"], credit.answers["regions"]
    columns = dict(zip(("age", "income", "loans"), rows.T, strict=True)) | {"region": regions}
    instances = [{name: values[i].item() for name, values in columns.items()} for i in range(len(regions))]
    answer = credit.rest(instances=instances)["predictions"]
    risk = credit.answers["risk"]
    close([row["risk"] for row in answer], risk)
    assert [row["risk_above"] for row in answer] == (risk > 0.4).tolist()
    labels = np.where(risk[:, 0] > 0.4, "at risk", "fine").tolist()
    assert [row["risk_label"] for row in answer] == labels
    given = credit.grpc(**columns)
    close(given["risk"], risk)
    assert text(given["risk_label"]) == labels
    classified = credit.rest(verb="classify", signature_name="classify", examples=instances)["results"]
    for (fine, at_risk), expected in zip(classified, risk[:, 0], strict=True):
        assert (fine[0], at_risk[0]) == ("fine", "at risk")
        close([fine[1], at_risk[1]], [1 - expected, expected])
    examples = [example(**row) for row in instances]
    found = credit.grpc_examples("Classify", "classify", examples).result.classifications
    assert [[each.label for each in row.classes] for row in found] == [["fine", "at risk"]] * len(examples)
    close([[each.score for each in row.classes] for row in found], np.hstack([1 - risk, risk]))


def test_texts_are_cut_and_looked_up(models: Models) -> None:
    reviews = models["reviews"]
    texts = reviews.answers["texts"].tolist()
    answer = reviews.rest(instances=texts)["predictions"]
    close([row["scores"] for row in answer], reviews.answers["scores"])
    assert [row["scores_label"] for row in answer] == reviews.answers["best"].tolist()
    given = reviews.grpc(text=np.array([each.encode() for each in texts], object))
    close(given["scores"], reviews.answers["scores"])


def test_windows_are_filled_and_scaled_and_each_output_ends_its_own_way(models: Models) -> None:
    sensor = models["sensor"]
    windows, state, alarms = (sensor.answers[key] for key in ("windows", "state", "alarms"))
    answer = sensor.rest(inputs=windows.tolist())["outputs"]
    close(answer["state"], state)
    close(answer["alarms"], alarms)
    assert answer["state_class"] == state.argmax(-1).tolist()
    assert answer["alarms_above"] == (alarms > 0.5).tolist()
    given = sensor.grpc(window=windows.astype(np.int16))
    close(given["state"], state)
    assert given["state_class"].dtype == np.int64
    assert sensor.post("predict", {"instances": [[[1, 2]] * 4]}).status_code == 400  # 5 were declared


def test_a_stateful_layer_begins_every_request_afresh(models: Models) -> None:
    memory = models["memory"]
    assert "layer 'lstm' is stateful: served, it begins every request afresh" in memory.said
    for _ in range(2):
        answer = memory.rest(instances=memory.answers["given"].tolist())["predictions"]
        close(answer, memory.answers["next"])
    close(memory.grpc(lstm_input=memory.answers["given"])["next"], memory.answers["next"])


def test_inputs_of_one_shape_and_names_with_slashes(models: Models) -> None:
    nested = models["nested"]
    left, right = nested.answers["left"], nested.answers["right"]
    inputs = {"eye/right": right, "eye/left": left}
    answer = nested.rest(inputs={name: array.tolist() for name, array in inputs.items()})
    close(answer["outputs"], nested.answers["answer"])
    close(nested.grpc(**inputs)["out/put"], nested.answers["answer"])
    swapped = nested.rest(inputs={"eye/right": left.tolist(), "eye/left": right.tolist()})["outputs"]
    assert not np.allclose(swapped, nested.answers["answer"], atol=1e-3)


def test_a_regression_over_examples(models: Models) -> None:
    price = models["price"]
    examples = [{"area": float(area), "rooms": float(rooms)} for area, rooms in price.answers["rows"]]
    results = price.rest(verb="regress", signature_name="regress", examples=examples)["results"]
    close(results, price.answers["price"][:, 0])
    close(price.rest(instances=examples)["predictions"], price.answers["price"])
    answered = price.grpc_examples("Regress", "regress", [example(**row) for row in examples])
    close([each.value for each in answered.result.regressions], price.answers["price"][:, 0])


def test_the_deviation_of_each_output_is_told(models: Models) -> None:
    said = models["credit"].said
    assert "largest difference from the source model" in said
    for output in ("risk", "risk_label", "risk_above"):
        assert f" serving_default {output}\n" in said


def test_samples_are_recorded_by_name_and_tell_words_of_the_vocabulary(trained: Path, models: Models) -> None:
    from packager.contract import read_contract

    contract = read_contract(models["reviews"].folder)
    assert contract is not None
    words = set((trained / "vocabulary.txt").read_text(encoding="utf-8").split())
    asked = [value.decode() for sample in contract.samples for value in sample.inputs["text"].tolist()]
    assert [sample.batch for sample in contract.samples] == [1, 2, 3]
    assert all(set(each.split()) <= words for each in asked)
    assert len({len(each.split()) for each in asked}) > 1
