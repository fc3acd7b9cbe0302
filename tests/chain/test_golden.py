"""``convert --golden``: answers that were recorded elsewhere, by name, and where they differ."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from fixtures_command import Run, SourceModel

from packager.errors import ParityError, UsageError
from packager.values import Conversion, Endpoint

pytestmark = pytest.mark.tensorflow


def write_npz(path: Path, arrays: Mapping[str, Any]) -> Path:
    np.savez(path, **arrays)
    return path


def write_h5(path: Path, arrays: Mapping[str, Any]) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def measure(conversion: Conversion, file: Path, *, tolerance: float = 1e-5) -> float:
    from packager.savedmodel.golden import Aliases, measure_golden

    (signature,) = conversion.signatures
    outputs = tuple(spec.name for spec in signature.outputs)
    endpoint = Endpoint(
        key=signature.key,
        method="",
        inputs=signature.inputs,
        outputs=outputs,
        call=lambda _: (),
        plain=signature.inputs,
    )
    aliases = Aliases.of(signature.inputs, signature.outputs, endpoint)
    return measure_golden(conversion.servable.path, endpoint, file, aliases=aliases, tolerance=tolerance)


@pytest.fixture
def golden(h5_models: Callable[[str], SourceModel]) -> dict[str, Any]:
    """Inputs and right outputs of the digits model, for more examples than are asked for at once."""
    source = h5_models("keras3_digits")
    image, digit = source.inputs["image"], source.outputs[0]
    return {"inputs/image": np.tile(image, (17, 1, 1, 1)), "outputs/digit": np.tile(digit, (17, 1))}


def test_right_outputs_pass_in_either_format(
    served_digits: Conversion, golden: dict[str, Any], tmp_path: Path
) -> None:
    assert measure(served_digits, write_npz(tmp_path / "g.npz", golden)) < 1e-6
    recorded = {
        "inputs/digits_input_1": golden["inputs/image"],  # one alone may go by any name
        "outputs/digit": np.zeros((68, 10)),  # what was trained for
        "predictions/digit": golden["outputs/digit"],
    }
    assert measure(served_digits, write_h5(tmp_path / "g.h5", recorded)) < 1e-6


@pytest.mark.parametrize("wrong", [0.75, np.nan])
def test_a_wrong_output_is_named_with_its_place(
    served_digits: Conversion, golden: dict[str, Any], tmp_path: Path, wrong: float
) -> None:
    golden["outputs/digit"][66, 3] = wrong
    file = write_npz(tmp_path / "g.npz", golden)
    with pytest.raises(ParityError, match=rf"output 'digit' at \[66, 3\] is 0\.\d+, and golden is {wrong}"):
        measure(served_digits, file)


def test_a_tolerance_is_absolute_and_relative(
    served_digits: Conversion, golden: dict[str, Any], tmp_path: Path
) -> None:
    golden["outputs/digit"] = golden["outputs/digit"] + 0.01
    file = write_npz(tmp_path / "g.npz", golden)
    assert 0.009 < measure(served_digits, file, tolerance=0.02) < 0.011
    with pytest.raises(ParityError, match="one of 640 wrong in 640"):
        measure(served_digits, file, tolerance=0.001)


def test_what_does_not_fit_is_told(served_digits: Conversion, golden: dict[str, Any], tmp_path: Path) -> None:
    def told(arrays: Mapping[str, Any]) -> str:
        with pytest.raises((UsageError, ParityError)) as caught:
            measure(served_digits, write_npz(tmp_path / "g.npz", arrays))
        return caught.value.message

    image, digit = golden["inputs/image"], golden["outputs/digit"]
    assert "no golden outputs in" in told({"inputs/image": image})
    assert "no golden inputs in" in told({"outputs/digit": digit})
    assert "golden inputs 'a', 'b', and the model has 'image'" in told(
        {"inputs/a": image, "inputs/b": image, "outputs/digit": digit}
    )
    assert "golden arrays of 3, 68 examples" in told({"inputs/image": image, "outputs/digit": digit[:3]})
    assert "samples of shape [68, 8, 8] for input" in told(
        {"inputs/image": image[..., 0], "outputs/digit": digit}
    )
    assert "has shape [64, 10], the golden one [64, 9]" in told(
        {"inputs/image": image, "outputs/digit": digit[:, :9]}
    )


def test_a_link_out_of_the_file_is_not_followed(served_digits: Conversion, tmp_path: Path) -> None:
    write_h5(tmp_path / "other.h5", {"x": np.zeros(3)})
    with h5py.File(tmp_path / "g.h5", "w") as file:
        file["inputs/image"] = h5py.ExternalLink("other.h5", "/x")
    with pytest.raises(UsageError, match="/inputs/image is no dataset of this file"):
        measure(served_digits, tmp_path / "g.h5")


def test_a_conversion_with_other_answers_leaves_nothing(
    packager: Run, h5_models: Callable[[str], SourceModel], golden: dict[str, Any], tmp_path: Path
) -> None:
    source = h5_models("keras3_digits")
    command = ("convert", source.path, "--name", "m", "--golden", "g.npz", "--input-name", "image=picture")
    write_npz(tmp_path / "g.npz", golden)
    done = packager(*command, "--json")  # under the model's own name as well as the published one
    assert done.code == 0, done.err
    assert done.json["golden"] < 1e-6
    golden["outputs/digit"][0, 0] += 0.5
    write_npz(tmp_path / "g.npz", golden)
    refused = packager(*command)
    assert refused.code == 18
    assert "output 'digit' at [0, 0]" in refused.err
    assert os.listdir(tmp_path / "models/m") == ["1"]
