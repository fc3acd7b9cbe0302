"""What a SavedModel promises its clients: signatures, and answers recorded from the source model.

It lies in the version folder, so it travels inside the image: ``assets.extra/packager/contract.json`` tells
the signatures, an example request to each, and where the model came from; ``samples.npz`` beside it holds the
recorded requests and answers, arrays named ``<sample>/inputs/<name>`` and ``<sample>/outputs/<name>``, batch
first. TensorFlow Serving ignores what it does not know in ``assets.extra``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from packager.contract.calls import ExampleCall
from packager.contract.samples import DAMAGED, Sample
from packager.errors import ModelFileError
from packager.values import Signature, TensorSpec, to_json

FOLDER = "assets.extra/packager"
"""Where the contract lies, relative to the version folder."""

FORMAT = 1

FILE = "contract.json"
_SAMPLES = "samples.npz"
FILES = (FILE, _SAMPLES)
"""The files in that folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """The signatures of a SavedModel, its origin, and recorded samples."""

    source: str
    """File name of the ``.h5`` it was made from."""
    source_sha256: str
    tensorflow: str
    """Version of the exporting TensorFlow: a server must be at least that new."""
    loader: str
    signatures: tuple[Signature, ...]
    samples: tuple[Sample, ...]
    model: str = ""
    """The name that its requests were written for."""
    examples: tuple[ExampleCall, ...] = ()
    """One request for each signature, as clients write it."""


def write_contract(contract: Contract, version_folder: Path) -> None:
    """Write ``contract`` into ``version_folder``; the same contract gives the same bytes.

    Samples are not compressed: zlib's bytes differ from one build of it to another.
    """
    folder = version_folder / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(contract_text(contract), encoding="utf-8")
    np.savez(folder / _SAMPLES, **_named_arrays(contract.samples))


def contract_text(contract: Contract) -> str:
    """Return what the file of ``contract`` holds: all of it but the arrays of its samples."""
    document = {
        "format": FORMAT,
        "source": {"file": contract.source, "sha256": contract.source_sha256},
        "tensorflow": contract.tensorflow,
        "loader": contract.loader,
        "signatures": to_json(contract.signatures),
        "model": contract.model,
        "examples": to_json(contract.examples),
        "samples": [{"signature": s.signature, "batch": s.batch} for s in contract.samples],
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def read_contract(version_folder: Path) -> Contract | None:
    """Read the contract of a version folder, ``None`` where it has none.

    Raises ModelFileError where there is one and it cannot be read.
    """
    file = version_folder / FOLDER / FILE
    return _read(file, file.with_name(_SAMPLES)) if file.is_file() else None


def read_contract_file(file: Path) -> Contract:
    """Read a contract from its JSON file and the samples beside it; it has none where those are not there.

    Raises ModelFileError where it cannot be read.
    """
    samples = file.with_name(_SAMPLES)
    return _read(file, samples if samples.is_file() else None)


def _read(file: Path, samples: Path | None) -> Contract:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise ModelFileError(
                f"contract format {document['format']!r} in {str(file)!r}",
                hint=f"this packager reads format {FORMAT}: upgrade it",
            )
        return Contract(
            source=document["source"]["file"],
            source_sha256=document["source"]["sha256"],
            tensorflow=document["tensorflow"],
            loader=document["loader"],
            signatures=tuple(map(_signature, document["signatures"])),
            samples=() if samples is None else _samples(document, samples),
            model=document.get("model", ""),
            examples=tuple(ExampleCall(**entry) for entry in document.get("examples", ())),
        )
    except (OSError, ValueError, KeyError, TypeError, *DAMAGED) as error:
        raise ModelFileError(
            f"unreadable contract {str(file)!r}: {error}",
            hint="convert the model again: packager convert --force",
        ) from error


def contract_digest(version_folder: Path) -> str | None:
    """Return the digest of a version's contract file (``sha256:<hex>``), ``None`` where it has none."""
    file = version_folder / FOLDER / FILE
    return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}" if file.is_file() else None


def _samples(document: Mapping[str, Any], file: Path) -> tuple[Sample, ...]:
    with np.load(file, allow_pickle=False) as arrays:
        return tuple(
            Sample(
                signature=entry["signature"],
                inputs=_under(arrays, f"{i}/inputs/"),
                outputs=_under(arrays, f"{i}/outputs/"),
            )
            for i, entry in enumerate(document["samples"])
        )


def _named_arrays(samples: tuple[Sample, ...]) -> dict[str, Any]:
    return {
        f"{i}/{side}/{name}": _storable(array)
        for i, sample in enumerate(samples)
        for side, arrays in (("inputs", sample.inputs), ("outputs", sample.outputs))
        for name, array in arrays.items()
    }


def _storable(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return ``array`` without Python objects, which npz would pickle: strings as fixed-width bytes.

    One byte ends each of them, because numpy takes NUL bytes at the end for filling.
    """
    if array.dtype.kind not in "OS":
        return array
    ended = [value + b"." for value in array.ravel().tolist()]
    return np.array(ended, dtype=np.bytes_).reshape(array.shape)


def _stored(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return what ``_storable`` made storable."""
    if array.dtype.kind != "S":
        return array
    values = np.empty(array.size, dtype=object)
    values[:] = [value[:-1] for value in array.ravel().tolist()]
    return values.reshape(array.shape)


def _under(arrays: Mapping[str, npt.NDArray[Any]], prefix: str) -> dict[str, npt.NDArray[Any]]:
    return {key[len(prefix) :]: _stored(arrays[key]) for key in arrays if key.startswith(prefix)}


def _signature(entry: Mapping[str, Any]) -> Signature:
    return Signature(
        key=entry["key"],
        method=entry["method"],
        inputs=tuple(map(_spec, entry["inputs"])),
        outputs=tuple(map(_spec, entry["outputs"])),
    )


def _spec(entry: Mapping[str, Any]) -> TensorSpec:
    return TensorSpec(name=entry["name"], dtype=entry["dtype"], shape=tuple(entry["shape"]))
