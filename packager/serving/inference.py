"""What a servable can be asked to predict, checked as TensorFlow Serving checks it.

The checks and their words follow ``predict_util.cc``, and TensorFlow's ``saved_model/util.cc``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packager.serving.metrics import Metrics
from packager.serving.native.dtypes import DType
from packager.serving.native.servable import Servable
from packager.serving.native.signatures import Signature, TensorInfo
from packager.serving.native.tensors import Tensor
from packager.serving.status import Code, StatusError, invalid_argument

DEFAULT_SIGNATURE = "serving_default"

_METHODS = tuple(f"tensorflow/serving/{verb}" for verb in ("predict", "classify", "regress"))


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceOptions:
    """What holds for every request."""

    timeout_ms: int = 30_000
    check_method_names: bool = False
    """Whether requests insist on the signature's ``method_name``."""
    metrics: Metrics | None = None


def predict(
    servable: Servable,
    signature: Signature,
    inputs: Mapping[str, Tensor | bytes],
    options: InferenceOptions,
    wanted: Sequence[str] = (),
) -> dict[str, Tensor]:
    """Run a signature on its inputs and return its outputs by name, in the order of their names.

    An input is a tensor or a serialised TensorProto. ``wanted`` names the outputs to return, if not all.
    """
    if options.check_method_names and signature.method_name not in _METHODS:
        raise _wrong_method(signature)
    feeds = _feeds(signature, inputs)
    names = _checked_outputs(signature, wanted) or list(signature.outputs)
    fetches = [signature.outputs[name].name for name in names]
    results = run(servable, feeds, fetches, options, api="Predict")
    return dict(zip(names, results, strict=True))


def run(
    servable: Servable,
    feeds: Sequence[tuple[str, Tensor]],
    fetches: Sequence[str],
    options: InferenceOptions,
    *,
    api: str,
) -> list[Tensor]:
    """Run the graph, and note how long it took on behalf of which part of the API."""
    if options.metrics is None:
        return servable.session.run(feeds, fetches, timeout_ms=options.timeout_ms)
    began = time.perf_counter()
    results = servable.session.run(feeds, fetches, timeout_ms=options.timeout_ms)
    options.metrics.note_run(servable.name, api, time.perf_counter() - began)
    return results


def _feeds(signature: Signature, inputs: Mapping[str, Tensor | bytes]) -> list[tuple[str, Tensor]]:
    """Return what to feed, with the signature's defaults for inputs that were not sent."""
    missing = len(signature.inputs) - len(inputs)
    if missing < 0 or (missing > 0 and not signature.defaults):
        raise _wrong_inputs(signature, inputs)
    feeds = []
    for alias, info in signature.inputs.items():
        value = inputs.get(alias, signature.defaults.get(alias))
        if value is None:
            raise _missing_input(signature, alias, inputs)
        tensor = _tensor(alias, value)
        if tensor.dtype is DType.RESOURCE:
            raise _handle_instead_of(signature, info)
        feeds.append((info.name, tensor))
    if not inputs.keys() <= signature.inputs.keys():
        used = inputs.keys() & signature.inputs.keys()
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {_listed(used)}, "
            f"request input: {_listed(inputs)}"
        )
    return feeds


def _tensor(alias: str, value: Tensor | bytes) -> Tensor:
    if isinstance(value, Tensor):
        return value
    try:
        return Tensor.from_proto(value)
    except StatusError as error:
        raise invalid_argument(f"tensor parsing error: {alias}") from error


def _checked_outputs(signature: Signature, wanted: Sequence[str]) -> list[str]:
    for index, alias in enumerate(wanted):
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {{{_listed(signature.outputs)}}}."
            )
        if alias in wanted[:index]:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
    return list(wanted)


def _wrong_method(signature: Signature) -> StatusError:
    return StatusError(
        Code.INTERNAL,
        "Expected prediction signature method_name to be one of "
        f"{{{', '.join(_METHODS)}}}. Was: {signature.method_name}",
    )


def _wrong_inputs(signature: Signature, inputs: Mapping[str, object]) -> StatusError:
    sent, needed = inputs.keys(), signature.inputs.keys()
    return invalid_argument(
        f"input size does not match signature: {len(sent)}!={len(needed)} "
        f"len({{{_listed(sent)}}}) != len({{{_listed(needed)}}}). "
        f"Sent extra: {{{_listed(sent - needed)}}}. Missing but required: {{{_listed(needed - sent)}}}."
    )


def _missing_input(signature: Signature, alias: str, inputs: Mapping[str, object]) -> StatusError:
    return invalid_argument(
        f"Signature input alias: {alias}(feed name: {signature.inputs[alias].name}) not found in request "
        f"and no default value provided. Inputs expected to be in the request {{{_listed(inputs)}}}, "
        f"or default input alias set: {_listed(signature.defaults)}"
    )


def _handle_instead_of(signature: Signature, wanted: TensorInfo) -> StatusError:
    """Return the graph's own error: TensorFlow's C API has another one for handles that are not whole."""
    place = sorted(info.name for info in signature.inputs.values()).index(wanted.name)
    return invalid_argument(f"Expects arg[{place}] to be {wanted.dtype.label} but resource is provided")


def _listed(names: Iterable[str]) -> str:
    return ",".join(sorted(names))
