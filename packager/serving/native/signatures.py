"""What a SavedModel lets itself be asked: the SignatureDefs of its MetaGraphDef."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from packager.serving.native.dtypes import DType
from packager.serving.native.generated import generated


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """The tensor of the graph behind the name that clients use for an input or output."""

    name: str
    """As in the graph: ``serving_default_x:0``."""
    dtype: DType


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One SignatureDef. Inputs and outputs are in the order of their names."""

    key: str
    method_name: str
    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    defaults: Mapping[str, bytes]
    """Serialised TensorProtos for inputs that need not be sent."""
    definition: Any
    """The SignatureDef message itself."""
    dtypes: Mapping[str, DType] = field(init=False, repr=False)
    """The types of the inputs."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "dtypes", {alias: info.dtype for alias, info in self.inputs.items()})


def read_signatures(meta_graph: bytes) -> dict[str, Signature]:
    """Return the signatures of a serialised MetaGraphDef by their keys."""
    message = generated("core.protobuf.meta_graph_pb2").MetaGraphDef.FromString(meta_graph)
    return {key: _signature(key, message.signature_def[key]) for key in sorted(message.signature_def)}


def _signature(key: str, definition: Any) -> Signature:
    return Signature(
        key=key,
        method_name=definition.method_name,
        inputs=_tensor_infos(definition.inputs),
        outputs=_tensor_infos(definition.outputs),
        defaults={alias: proto.SerializeToString() for alias, proto in definition.defaults.items()},
        definition=type(definition).FromString(definition.SerializeToString()),
    )


def _tensor_infos(infos: Any) -> dict[str, TensorInfo]:
    return {alias: TensorInfo(infos[alias].name, DType(infos[alias].dtype)) for alias in sorted(infos)}
