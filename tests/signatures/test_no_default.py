"""Models without ``serving_default``: every request names its signature, and all commands do as well."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from fixtures_command import Run
from served import Model, b64

pytestmark = pytest.mark.tensorflow

Models = dict[str, Model]


def test_requests_have_to_name_a_signature(models: Models) -> None:
    files = models["files"]
    rows = [{"badge_bytes": b64(file)} for file in files.files]
    refused = files.post("predict", {"instances": rows})
    assert refused.status_code == 400
    assert "serving_default" in refused.text
    answer = files.rest(signature_name="bytes", instances=rows)["predictions"]
    np.testing.assert_allclose(answer, files.answers["scores"], rtol=1e-4, atol=1e-5)


def test_texts_are_classified_only(models: Models) -> None:
    offers = models["offers"]
    examples = [{"text": text} for text in offers.answers["texts"].tolist()]
    results = offers.rest(verb="classify", signature_name="classify", examples=examples)["results"]
    assert [[label for label, _ in row] for row in results] == [["negative", "positive"]] * len(examples)
    scores = [[score for _, score in row] for row in results]
    np.testing.assert_allclose(scores, offers.answers["scores"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "key"), [("files", "bytes"), ("offers", "classify")])
def test_smoke_asks_what_is_there(packager: Run, models: Models, name: str, key: str) -> None:
    done = packager("smoke", models[name].folder.parent, "--compare-warmup", "--json")
    assert done.code == 0, done.err
    probes = done.json["probes"]
    assert {probe["signature"] for probe in probes} == {key}
    assert {probe["form"] for probe in probes} == {"row", "columnar", "grpc"}
    assert {probe["batch"] for probe in probes} == {1, 2, 3}
    assert done.json["warmup"]["first_ms"] > 0


def test_load_is_put_on_it(packager: Run, models: Models) -> None:
    for protocol in ("rest", "grpc"):
        done = packager(
            "bench", models["files"].folder.parent, "--seconds", "1", "--protocol", protocol, "--json"
        )
        assert done.code == 0, done.err
        (measured,) = done.json
        assert measured["requests_per_s"] > 0
        assert measured["errors"] == []


def test_openapi_and_client_name_the_signature(packager: Run, models: Models) -> None:
    document = packager("openapi", models["files"].folder).json
    request = document["components"]["schemas"]["bytes.row.request"]
    assert request["required"] == ["signature_name", "instances"]
    assert "serving_default" not in json.dumps(document)
    done = packager("client", models["files"].folder, "--language", "curl")
    assert done.code == 0, done.err
    assert re.search(r'"signature_name": ?"bytes"', done.out)


def test_no_signature_at_all_is_refused(packager: Run, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "d.toml").write_text("[signatures]\nserving_default = false\n")
    done = packager("convert", trained / "price.h5", "--name", "price", "--signature", "d.toml")
    assert done.code == 15
    assert "error: signatures.serving_default = false: no other signature is left" in done.err
    assert "hint: switch one on: [signatures] bytes, classify or regress = true" in done.err
    assert os.listdir(tmp_path) == ["d.toml"]


def test_golden_outputs_need_tensors(packager: Run, trained: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "golden.npz", **{"inputs/badge": np.zeros((1, 8, 8, 3)), "outputs/scores": [[0, 0]]})
    done = packager(
        *("convert", trained / "badges.h5", "--name", "files", "--signature", trained / "files.toml"),
        *("--golden", "golden.npz"),
    )
    assert done.code == 15
    assert "--golden 'golden.npz': signatures.serving_default = false leaves no tensors" in done.err
    assert os.listdir(tmp_path) == ["golden.npz"]
