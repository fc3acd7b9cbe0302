"""What is done to a valid file: to its architecture's objects, its attributes, datasets and bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

Node = tuple[Any, Any]
"""A container in a JSON value, and a key of it."""

CODE = "4wEAAAAAAAAAAAAAAAEAAAADAAAA8woAAACXAHwAZAF6BQAAUwApAk7pAgAAAKkAKQHaAXhzAQAAACD6CG1vZGVsLnB5"
CLASSES = """
    Dense Conv2D LSTM GRU Bidirectional TimeDistributed Lambda Activation BatchNormalization Embedding
    InputLayer Functional Sequential Reshape Concatenate Add Flatten Masking RNN Normalization Rescaling
    TFOpLambda SlicingOpLambda StringLookup TextVectorization MultiHeadAttention Dot Permute Nonsense
    function
""".split()  # noqa: SIM905 - a list of names reads best as words
NUMBERS: list[Any] = [0, -1, 1, 2, 7, 2**31, 2**63, -(2**63), 10**30, 0.5, -1.5, 1e308, float("nan")]
WORDS: list[Any] = ["", "a", "relu", "softmax", "float16", "mixed_bfloat16", "string", "channels_first"]
TEXTS: list[Any] = ["\x00\x1b[2J", "\ud800", "ä" * 300, "../../x", "/etc/hostname"]
LISTS: list[Any] = [[], [None], [None, 4], [None, None], [[]], [0], [-1, 4], [[["a", 0, 0, {}]]]]
OBJECTS: list[Any] = [
    {},
    {"class_name": "Zeros", "config": {}},
    {"class_name": "function", "config": "system", "module": "os"},
    {"class_name": "Lambda", "config": {"name": "z", "function": [CODE], "function_type": "lambda"}},
    {"class_name": "__lambda__", "config": {"code": CODE, "defaults": None, "closure": None}},
]
VALUES = [None, True, False, *NUMBERS, *WORDS, *TEXTS, *LISTS, *OBJECTS]


def mutate(path: Path, random: Random) -> None:
    """Change the file at ``path`` in one or a few ways."""
    kinds: list[Callable[[h5py.File, Random], None]] = [change_config, change_attribute, change_dataset]
    how = random.random()
    if how < 0.75:
        with h5py.File(path, "r+") as file:
            for _ in range(random.choice([1, 1, 1, 2, 3])):
                random.choices(kinds, [5, 2, 3])[0](file, random)
    if how > 0.7:
        change_bytes(path, random)


def change_config(file: h5py.File, random: Random) -> None:
    """Change the JSON of the architecture: values, keys, classes, the order and number of things."""
    if not isinstance(text := file.attrs.get("model_config"), (bytes, str)):
        return
    try:
        config = json.loads(text)
    except ValueError:
        return
    change_json(config, random)
    text = json.dumps(config)
    if random.random() < 0.05:
        text = text[: random.randrange(len(text) + 1)]
    _set(file, "model_config", text.encode())


def change_json(value: Any, random: Random) -> None:
    """Change a JSON value in one or a few places."""
    for _ in range(random.choice([1, 1, 2, 4])):
        if nodes := list(_nodes(value)):
            _change_node(*random.choice(nodes), nodes, random)


def _nodes(value: Any) -> Iterator[Node]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _nodes(value[key])


def _change_node(container: Any, key: Any, nodes: list[Node], random: Random) -> None:
    other_container, other_key = random.choice(nodes)
    action = random.randrange(7)
    if key == "class_name" and random.random() < 0.5:
        container[key] = random.choice(CLASSES)
    elif action <= 1:
        container[key] = random.choice(VALUES)
    elif action == 2:
        del container[key]
    elif action == 3:
        container[key] = json.loads(json.dumps(other_container[other_key]))
    elif action == 4 and isinstance(container, list):
        container.insert(key, json.loads(json.dumps(container[key])))
    elif action == 5:
        deep = container[key]
        for _ in range(random.choice([1, 3, 200])):
            deep = random.choice([[deep], {"class_name": "Sequential", "config": {"layers": [deep]}}])
        container[key] = deep
    elif isinstance(container, dict):
        container[random.choice(["name", "units", "layer", "module", "dtype", str(key)[::-1]])] = (
            container.pop(key)
        )


def change_attribute(file: h5py.File, random: Random) -> None:
    """Change the type or the value of an attribute, or drop it."""
    places = [file, *(o for o in _objects(file) if isinstance(o, h5py.Group))]
    owned = [(place, name) for place in places for name in place.attrs]
    if not owned:
        return
    place, name = random.choice(owned)
    value = place.attrs[name]
    action = random.randrange(8)
    if action == 0:
        del place.attrs[name]
    elif action == 1:
        _set(place, name, random.choice([7, 1.5, np.zeros((2, 2)), np.array([], "S1"), h5py.Empty("f4")]))
    elif action == 2:
        _set(place, name, np.void(b"\xff\x00abc"))
    elif isinstance(value, np.ndarray) and value.size:
        names = [str(n, "utf-8", "replace") if isinstance(n, bytes) else str(n) for n in value.ravel()]
        random.shuffle(names)
        odd = random.choice(["..", "/", "", "a/../b", "x" * 500, names[0], "/model_weights"])
        _set(place, name, [*names, odd] if action < 6 else names[1:] or [odd])
    else:
        changed = random.choice(["1.2.2", "2.0.5", "3.9.0", "4.0", "theano", "cntk", "", "ü", "2.4.0" * 200])
        _set(place, name, changed if action < 6 else changed.encode())


def change_dataset(file: h5py.File, random: Random) -> None:
    """Change the shape, type, storage or place of a dataset, or link to it in some way."""
    found = [o for o in _objects(file) if isinstance(o, h5py.Dataset)]
    if not found:
        return None
    dataset = random.choice(found)
    if (dataset.size or 0) > 10**6:
        return None
    name, array = dataset.name, dataset[()]
    parent, last = file[name.rpartition("/")[0] or "/"], name.rpartition("/")[2]
    if random.random() < 0.15:
        return _link(file, parent, name, random)
    del parent[last]
    changes: list[Callable[[], Any]] = [
        lambda: None,
        lambda: parent.create_dataset(last, data=np.asarray(array).ravel()),
        lambda: parent.create_dataset(last, data=np.asarray(array).T),
        lambda: parent.create_dataset(last, data=np.full(np.shape(array), np.nan, "f4")),
        lambda: parent.create_dataset(
            last, data=np.asarray(array).astype(random.choice(["f2", "f8", "i4", "c8"]))
        ),
        lambda: parent.create_dataset(last, data=np.asarray(array)[None]),
        lambda: parent.create_dataset(last, data=np.zeros((0, 3), "f4")),
        lambda: parent.create_dataset(last, data=3.5),
        lambda: parent.create_dataset(last, data=["text"] * 3, dtype=h5py.string_dtype()),
        lambda: parent.create_dataset(last, (3,), h5py.vlen_dtype("f4")),
        lambda: parent.create_dataset(last, data=h5py.Empty("f4")),
        lambda: parent.create_dataset(last, (2,), np.dtype([("a", "f4"), ("b", "i4")])),
        lambda: parent.create_dataset(last, (10**9, 10**6), "f4", chunks=(1000, 1000)),
        lambda: parent.create_dataset(last, (100, 100), "f4", chunks=(10, 10), compression="gzip"),
        lambda: parent.create_dataset(f"moved/{last}", data=array),
        lambda: parent.create_group(last).create_dataset("inner", data=array),
        lambda: [parent.create_dataset(f"{last}_{number}", data=array) for number in range(2)],
    ]
    random.choice(changes)()
    return None


def _link(file: h5py.File, parent: h5py.Group, name: str, random: Random) -> None:
    link: Any = random.choice(
        [h5py.SoftLink(name), h5py.ExternalLink("/etc/hostname", "/"), file[name], parent, file["/"]]
    )
    parent[f"link{random.randrange(1000)}"] = link


def _objects(file: h5py.File) -> list[Any]:
    found: list[Any] = []
    file.visititems(lambda _, item: found.append(item))
    return found


def _set(place: Any, name: str, value: Any) -> None:
    """Set an attribute; one that is too large for an old file's headers is left."""
    try:
        place.attrs[name] = value
    except (OSError, RuntimeError, ValueError, TypeError):
        return


def change_bytes(path: Path, random: Random) -> None:
    """Change some bytes, or eight of them (as addresses and lengths take), or cut, or copy a block."""
    data = bytearray(path.read_bytes())
    headers = min(len(data), 4096)
    for _ in range(random.choice([1, 1, 2, 8, 32])):
        place = random.randrange(headers if random.random() < 0.6 else len(data))
        if random.random() < 0.5:
            data[place] = random.randrange(256)
        else:
            value = random.choice([0, 1, 96, len(data), 2**31, 2**63, 2**64 - 1, random.randrange(len(data))])
            data[place : place + 8] = value.to_bytes(8, "little")
    if random.random() < 0.1:
        start, size = random.randrange(len(data)), random.randrange(1, 600)
        block = data[start : start + size]
        target = random.randrange(len(data))
        data[target : target + len(block)] = block
    if random.random() < 0.05:
        del data[random.randrange(len(data)) :]
    path.write_bytes(data)


def change_numbers(data: bytearray, start: int, random: Random) -> None:
    """Change a number of one, two or four bytes within the 46 that a header of a zip file takes."""
    place, width = start + random.randrange(46), random.choice([1, 2, 4])
    value = random.choice([0, 1, 8, len(data), 2**31, 2**32 - 1, random.randrange(2**32)])
    data[place : place + width] = (value % 256**width).to_bytes(width, "little")
