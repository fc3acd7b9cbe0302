"""Write weights and models of one Keras into a folder, with the answers of the models they come from.

Run as a program: ``make_weights.py keras|tf_keras FOLDER``.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import h5py
import numpy as np

library, folder = sys.argv[1], Path(sys.argv[2])
keras = sys.modules["keras"] = importlib.import_module(library)
import architectures  # noqa: E402 - it has to find the Keras that was asked for

SUFFIX = ".weights.h5" if library == "keras" else ".h5"
RANDOM = np.random.RandomState(7)


def randomized(model):
    model.set_weights([RANDOM.uniform(0.1, 0.9, w.shape).astype("float32") for w in model.get_weights()])
    return model


def save(name, model, *, weights=True):
    """Save the model's weights, or the model, with an answer."""
    shape = model.inputs[0].shape[1:] if getattr(model, "inputs", None) else (6,)
    given = RANDOM.uniform(0, 1, (4, *shape)).astype("float32")
    path = folder / f"{name}{SUFFIX if weights else '.h5'}"
    model.save_weights(path) if weights else model.save(path)
    if library == "tf_keras" and weights:
        model.save_weights(folder / f"{name}.weights.h5")
    if name != "own_class":  # which has no config
        (folder / f"{name}.json").write_text(model.to_json())
    np.savez(folder / f"{name}.npz", given=given, answer=np.asarray(model(given, training=False)))
    return path


def edit_kernels(path, turn, **attributes):
    with h5py.File(path, "r+") as file:
        root = file.get("model_weights", file)
        for group in (file, root):
            for name, value in attributes.items():
                group.attrs[name] = value
        paths = []
        root.visititems(lambda name, item: paths.append(name) if "kernel" in name.split("/")[-1] else None)
        for name in paths:
            root[name][...] = turn(root[name][()])


save("stack", randomized(architectures.stack()))
own = architectures.own_class()
own(np.zeros((1, 6), "float32"))
save("own_class", randomized(own))
save("twins", randomized(architectures.twins()))
save("recurrent", randomized(architectures.recurrent()))
save("scaled", randomized(architectures.scaled()), weights=False)
if library == "tf_keras":
    last, first = randomized(architectures.pictures()), architectures.pictures("channels_first")
    path = save("theano_channels_last", last, weights=False)
    edit_kernels(path, lambda kernel: kernel[::-1, ::-1], backend="theano")
    first.set_weights(last.get_weights())  # a CPU cannot compute it: its answers are those of its twin
    first.save(folder / "theano_channels_first.h5")
    edit_kernels(folder / "theano_channels_first.h5", lambda kernel: kernel[::-1, ::-1], backend="theano")
    known = np.load(folder / "theano_channels_last.npz")
    turned = known["given"].transpose(0, 3, 1, 2)
    np.savez(folder / "theano_channels_first.npz", given=turned, answer=known["answer"])
    path = save("theano", randomized(architectures.pictures()))
    edit_kernels(path, lambda kernel: kernel[::-1, ::-1], backend="theano")
else:
    keras.utils.clear_session()  # layers are numbered from the start again
    model = randomized(architectures.stack())
    path = save("raw", model)
    kernel, bias, *normalization, last_kernel, last_bias = model.get_weights()
    path.unlink()
    with h5py.File(folder / "raw.h5", "w") as file:
        file["w1"] = kernel.T
        file["biases"] = np.concatenate([bias, last_bias])
        for number, values in enumerate(normalization):
            file[f"norm/{number}"] = values
        file["w2"] = last_kernel
        file["epoch"] = np.array([3.0])
    model = randomized(architectures.stack())
    model.layers[0].kernel.assign(np.full((6, 8), np.nan, "float32"))
    save("nan", model)
