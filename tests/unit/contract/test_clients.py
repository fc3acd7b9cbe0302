"""Programs that ask a model: what they send is the request, or one of its shape where that is too long."""

from __future__ import annotations

from typing import Any

import numpy as np

from packager.contract import Sample, example_calls
from packager.contract.client import client_text
from packager.values import Signature, TensorSpec

SPEC = TensorSpec(name="x", dtype="float32", shape=(None, 2))


def asked(sample: Sample) -> dict[str, Any]:
    """Run the program up to its request, and return what it would send and where."""
    signature = Signature(
        key=sample.signature, method="tensorflow/serving/predict", inputs=(SPEC,), outputs=(SPEC,)
    )
    (call,) = example_calls([signature], [sample], "a model", limit=None)
    text = client_text(call, sample, model="a model", language="python", server="http://here:1")
    names: dict[str, Any] = {"__name__": "client"}
    exec(compile(text.replace("sys.argv", "[]"), "client.py", "exec"), names)
    return {"url": names["URL"], "request": names["REQUEST"], "text": text}


def sample(key: str, **inputs: Any) -> Sample:
    return Sample(signature=key, inputs=inputs, outputs={"y": np.full(1, 0.5, np.float32)})


def test_a_short_request_is_sent_as_it_was_recorded() -> None:
    found = asked(sample("serving_default", x=np.array([[0.1, 2]], np.float32)))
    assert found["request"] == {"instances": [{"x": [0.1, 2.0]}]}
    assert found["url"] == "http://here:1/v1/models/a%20model:predict"
    assert '# The source model answered: {"predictions": [0.5]}' in found["text"]


def test_a_long_request_is_made_up_by_shape() -> None:
    image = np.zeros((1, 64, 96, 3), np.float32)
    found = asked(sample("other", image=image, n=np.zeros((1, 2), np.int32), ok=np.zeros(1, bool)))
    assert len(found["text"]) < 2000
    assert found["request"]["signature_name"] == "other"
    (row,) = found["request"]["instances"]
    assert np.array(row["image"]).shape == (64, 96, 3)
    assert (row["n"], row["ok"]) == ([1, 1], True)


def test_long_bytes_are_sent_whole_because_they_cannot_be_made_up() -> None:
    picture = np.array([b"\xff" * 20_000], dtype=object)
    found = asked(sample("serving_default", image_bytes=picture))
    assert len(found["request"]["instances"][0]["image_bytes"]["b64"]) > 20_000


def test_what_has_no_rows_is_sent_in_columns() -> None:
    scalar = Sample(
        signature="serving_default",
        inputs={"x": np.zeros((1, 40_000), np.float32)},
        outputs={"y": np.array(1.0, np.float32)},
    )
    found = asked(scalar)
    assert np.array(found["request"]["inputs"]["x"]).shape == (1, 40_000)
