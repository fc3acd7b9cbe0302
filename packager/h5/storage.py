"""How a dataset is stored, and whether reading it would reach outside the file or fill the memory.

A dataset is described from its object header alone; its data are never read.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from h5py import h5d, h5p

from packager.h5 import rules
from packager.h5.attributes import read_text
from packager.h5.rules import quote
from packager.values import Finding, WeightDataset

_ALWAYS_ALLOWED = 64 * 2**20
"""Bytes that a dataset may take in memory whatever it takes in the file."""
_ALWAYS_ALLOWED_IN_ALL = 2**30
_RATIO = 100
"""How often its size in the file a compressed dataset may take in memory; trained weights reach 1.1."""
_BUILT_IN_FILTERS = range(1, 7)
_LZF = 32000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDataset:
    """A dataset as its object header declares it."""

    weight: WeightDataset
    size: int
    """Bytes in memory."""
    stored: int
    """Bytes in the file."""
    end: int | None
    """Where they end in the file, ``None`` where they are not in one piece."""
    filters: tuple[int, ...]
    """The codes of its filters: 1 is gzip, 2 shuffle, 32000 lzf."""


def outside_source(path: str, properties: h5p.PropDCID) -> Finding | None:
    """Return a finding where the data are elsewhere, by a dataset's creation properties.

    To be asked before anything else: asking a virtual dataset for its shape makes libhdf5 open the files
    that it is put together from.
    """
    if properties.get_layout() == h5d.VIRTUAL:
        names = {properties.get_virtual_filename(i) for i in range(min(properties.get_virtual_count(), 10))}
        return rules.VIRTUAL_DATASET.at(
            path, f"dataset {quote(path)} is put together from {', '.join(map(quote, sorted(names)))}"
        )
    if properties.get_external_count():
        name = properties.get_external(0)[0].decode("utf-8", "backslashreplace")
        return rules.EXTERNAL_STORAGE.at(path, f"dataset {quote(path)} reads external file {quote(name)}")
    return None


def describe(path: str, dataset: h5d.DatasetID, properties: h5p.PropDCID) -> StoredDataset:
    """Describe ``dataset``, whose data must be in the file itself."""
    shape, dtype, stored = dataset.shape or (), dataset.dtype, dataset.get_storage_size()
    offset = dataset.get_offset() if properties.get_layout() == h5d.CONTIGUOUS else None
    return StoredDataset(
        weight=WeightDataset(path=path, shape=shape, dtype=_dtype_name(dataset, dtype)),
        size=math.prod(shape) * dtype.itemsize,
        stored=stored,
        end=None if offset is None else offset + stored,
        filters=tuple(properties.get_filter(i)[0] for i in range(properties.get_nfilters())),
    )


def _dtype_name(dataset: h5d.DatasetID, dtype: np.dtype[Any]) -> str:
    """Return numpy's name of the type; bfloat16, which HDF5 has not, is told by an attribute of Keras 3."""
    told = read_text(dataset, "dtype") if dtype.kind == "V" and dtype.names is None else None
    return told or _numpy_name(dtype)


@functools.cache
def _numpy_name(dtype: np.dtype[Any]) -> str:
    return str(dtype.name)


def size_findings(dataset: StoredDataset, file_size: int) -> Iterator[Finding]:
    """Yield findings where ``dataset`` takes far more memory than it takes of the file."""
    path, stored = dataset.weight.path, min(dataset.stored, file_size)
    if dataset.end is not None and dataset.end > file_size:  # which libhdf5 itself finds since 2.0
        yield rules.DECLARED_SIZE.at(
            path, f"dataset {quote(path)} ends at byte {dataset.end:,} of a file of {file_size:,}"
        )
    elif dataset.size > max(_ALWAYS_ALLOWED, _RATIO * stored) and dataset.filters:
        yield rules.COMPRESSION_BOMB.at(
            path, f"dataset {quote(path)} unpacks {stored:,} bytes to {dataset.size:,}"
        )
    elif dataset.size - stored > _ALWAYS_ALLOWED and not dataset.filters:
        yield rules.DECLARED_SIZE.at(
            path, f"dataset {quote(path)} declares {dataset.size:,} bytes and stores {stored:,}"
        )
    elif not stored and dataset.size:
        yield rules.UNWRITTEN.at(path, f"dataset {quote(path)} was never written: it reads as its fill value")
    for code in dataset.filters:
        if code not in _BUILT_IN_FILTERS and code != _LZF:
            yield rules.UNKNOWN_FILTER.at(
                path, f"dataset {quote(path)} needs the plugin of HDF5 filter {code}"
            )


def total_findings(datasets: Iterable[StoredDataset], file_size: int) -> Iterator[Finding]:
    """Yield findings where the datasets together take far more memory than the file has bytes.

    Every byte of a file belongs to one dataset, unless datasets were laid over one another.
    """
    plain = compressed = 0
    for dataset in datasets:
        if dataset.filters:
            compressed += dataset.size
        else:
            plain += dataset.size
    if plain > file_size + _ALWAYS_ALLOWED_IN_ALL:
        yield rules.DECLARED_SIZE.at("/", f"datasets of {plain:,} bytes in a file of {file_size:,}")
    if compressed > max(_ALWAYS_ALLOWED_IN_ALL, _RATIO * file_size):
        yield rules.COMPRESSION_BOMB.at("/", f"{file_size:,} bytes unpack to {compressed:,}")
