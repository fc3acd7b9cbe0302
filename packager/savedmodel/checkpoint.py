"""A checkpoint's tensors by key: read when asked, from where they lie in its data files, and checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2

from packager.savedmodel.table import read_table, unmasked
from packager.stored import StoredArray


def stored_tensors(prefix: str) -> Mapping[str, StoredArray]:
    """Return the tensors of numbers in the checkpoint ``prefix``, by key; its text is not among them.

    Raises ValueError where its index is damaged.
    """
    table = dict(read_table(Path(f"{prefix}.index").read_bytes()))
    header = tensor_bundle_pb2.BundleHeaderProto.FromString(table.pop(b""))
    found = {}
    for key, value in table.items():
        entry = tensor_bundle_pb2.BundleEntryProto.FromString(value)
        if entry.dtype == tf.string.as_datatype_enum or entry.slices:
            continue
        found[key.decode()] = StoredArray(
            file=Path(f"{prefix}.data-{entry.shard_id:05}-of-{header.num_shards:05}"),
            dataset=key.decode(),
            shape=tuple(dimension.size for dimension in entry.shape.dim),
            dtype=tf.as_dtype(entry.dtype).as_numpy_dtype().dtype,
            extent=entry.offset,
            checksum=unmasked(entry.crc32c),
        )
    return found
