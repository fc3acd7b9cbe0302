"""Reads a predict request: its signature, its inputs as tensors, and the form it wants its answer in.

A regular request is read fast, a large one of numbers faster; any other is read again from the start,
strictly, which either finds TensorFlow Serving's words for what is wrong or reads it as it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from packager.serving.native.dtypes import DType
from packager.serving.native.signatures import Signature
from packager.serving.rest import dense
from packager.serving.rest.dense import IrregularError
from packager.serving.rest.documents import NotAlikeError, parse_exactly, parse_fast
from packager.serving.rest.requests import FindSignature, PredictRequest, is_named
from packager.serving.rest.strict_request import read_strictly
from packager.serving.status import StatusError

_LARGE_BODY = 65536
"""Bytes from which a reader that makes no object of a number answers more: it has one request at a time."""


def read_predict_request(body: bytes, find_signature: FindSignature) -> PredictRequest:
    """Read a request, or raise StatusError."""
    if len(body) > _LARGE_BODY:
        from packager.serving.rest.numeric import read_numeric_request  # 2 MB that small ones do not need

        with suppress(IrregularError):
            return read_numeric_request(body, find_signature)
    return read_any_request(body, find_signature)


def read_any_request(body: bytes, find_signature: FindSignature) -> PredictRequest:
    """Read a request whatever it is made of, or raise StatusError."""
    try:
        document = parse_fast(body)
    except NotAlikeError:
        return read_strictly(parse_exactly(body), find_signature)
    if isinstance(document, dict) and isinstance(document.get("signature_name", ""), str):
        signature = find_signature(document.get("signature_name", ""))
        try:
            if DType.DOUBLE in signature.dtypes.values():
                document = parse_fast(body, exact_doubles=True)
            return _read_dense(document, signature)
        except (IrregularError, NotAlikeError, StatusError):
            return read_strictly(parse_exactly(body), find_signature)
    return read_strictly(parse_exactly(body), find_signature)


def _read_dense(document: Mapping[str, Any], signature: Signature) -> PredictRequest:
    dtypes = signature.dtypes
    in_rows = "instances" in document
    if not dtypes or in_rows == ("inputs" in document):
        raise IrregularError
    if in_rows:
        columns = _columns(document["instances"], dtypes)
    else:
        columns = _named_inputs(document["inputs"], dtypes)
    inputs = {name: dense.tensor(columns[name], dtype) for name, dtype in dtypes.items()}
    return PredictRequest(signature, inputs, in_rows=in_rows)


def _columns(instances: Any, dtypes: Mapping[str, DType]) -> Mapping[str, list[Any]]:
    """Turn a list of instances into a list for each input."""
    if not isinstance(instances, list) or not instances:
        raise IrregularError
    if is_named(instances[0]):
        if not all(is_named(instance) and instance.keys() == dtypes.keys() for instance in instances):
            raise IrregularError
        return {name: [instance[name] for instance in instances] for name in dtypes}
    if len(dtypes) > 1:
        raise IrregularError
    return dict.fromkeys(dtypes, instances)


def _named_inputs(inputs: Any, dtypes: Mapping[str, DType]) -> Mapping[str, Any]:
    if not is_named(inputs):
        if len(dtypes) > 1:
            raise IrregularError
        return dict.fromkeys(dtypes, inputs)
    if dtypes.keys() - inputs.keys():
        raise IrregularError
    return inputs  # type: ignore[no-any-return]
