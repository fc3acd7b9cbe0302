"""Write the files of ten trainings: the ``.h5``, what belongs to it, and requests with the right answers.

Run as a program: ``python make_trained.py FOLDER``. All preprocessing here is plain numpy, and the answers
are those of the model in memory before it was saved, so nothing of packager judges itself.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf
import tf_keras
from pictures import bmp, cropped, gif, padded, resized

TRAININGS: dict[str, Callable[[Path], dict[str, Any]]] = {}
RANDOM = np.random.RandomState(5)


def training(function: Callable[[Path], dict[str, Any]]) -> Callable[[Path], dict[str, Any]]:
    TRAININGS[function.__name__] = function
    return function


def softmax(logits: Any) -> Any:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def sigmoid(logits: Any) -> Any:
    return 1 / (1 + np.exp(-logits))


def pictures() -> tuple[list[bytes], list[Any]]:
    """One picture of each format, each of another size, and their pixels."""
    files, pixels = [], []
    for form, size in (("png", (20, 30)), ("jpeg", (25, 16)), ("gif", (12, 17)), ("bmp", (31, 22))):
        found = RANDOM.randint(0, 256, (*size, 3)).astype(np.uint8)
        if form == "gif":
            palette, indices = RANDOM.randint(0, 256, (128, 3)), RANDOM.randint(0, 128, size)
            found, file = palette[indices].astype(np.uint8), gif(indices, palette)
        elif form == "bmp":
            file = bmp(found)
        elif form == "png":
            file = tf.io.encode_png(found).numpy()
        else:
            file = tf.io.encode_jpeg(found).numpy()
            found = tf.io.decode_jpeg(file).numpy()
        files.append(file)
        pixels.append(found)
    return files, pixels


@training
def flowers(folder: Path) -> dict[str, Any]:
    """An image classifier that gives logits; the statistics are in the file."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((12, 12, 3), name="pixels"),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(5, name="logits"),
        ]
    )
    model.save(folder / "flowers.h5")
    mean, std = np.array([0.5, 0.4, 0.3]), np.array([0.2, 0.3, 0.25])
    with h5py.File(folder / "flowers.h5", "r+") as file:
        file["training/mean"], file["training/std"] = mean, std
    labels = ["daisy", "dandelion", "rose", "sunflower", "tulip"]
    (folder / "flowers.txt").write_text("\n".join(labels) + "\n")
    files, pixels = pictures()
    prepared = [(resized(cropped(found, 12, 12), 12, 12) / 255 - mean) / std for found in pixels]
    scores = softmax(model(np.array(prepared, np.float32)).numpy())
    order = np.argsort(-scores, axis=-1)[:, :3]
    caffe = np.array([padded(found, 12, 12)[..., ::-1] - [103.939, 116.779, 123.68] for found in pixels])
    bgr = np.array([resized(found, 12, 12)[..., ::-1] for found in pixels]) / 255
    torch = (bgr - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    return {
        **{f"file{i}": np.frombuffer(file, np.uint8) for i, file in enumerate(files)},
        "pixels0": pixels[0],
        "scores": np.take_along_axis(scores, order, -1),
        "labels": np.array(labels)[order],
        "padded caffe": model(caffe.astype(np.float32)).numpy(),
        "bgr torch": model(torch.astype(np.float32)).numpy(),
    }


@training
def digits(folder: Path) -> dict[str, Any]:
    """Grey images, taken as they are."""
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [layers.Input((8, 8, 1), name="pixels"), layers.Flatten(), layers.Dense(3, name="scores")]
    )
    model.save(folder / "digits.h5")
    files, pixels = pictures()
    grey = [np.rint(found @ np.array([0.299, 0.587, 0.114])) for found in pixels]
    grey[1] = tf.io.decode_jpeg(files[1], channels=1).numpy()[..., 0]
    grey[0] = tf.io.decode_png(files[0], channels=1).numpy()[..., 0]
    prepared = np.array([resized(found[..., None], 8, 8) / 127.5 - 1 for found in grey], np.float32)
    return {
        **{f"file{i}": np.frombuffer(file, np.uint8) for i, file in enumerate(files)},
        "scores": model(prepared).numpy(),
    }


@training
def badges(folder: Path) -> dict[str, Any]:
    """Colour images, which a layer of the model scales."""
    layers = keras.layers
    stack = [layers.Input((8, 8, 3), name="badge"), layers.Rescaling(1 / 255), layers.Flatten()]
    model = keras.Sequential([*stack, layers.Dense(2, name="scores")])
    model.save(folder / "badges.h5")
    files, pixels = pictures()
    prepared = np.array([resized(found, 8, 8) for found in pixels], np.float32)
    return {
        **{f"file{i}": np.frombuffer(file, np.uint8) for i, file in enumerate(files)},
        "scores": model(prepared).numpy(),
    }


@training
def credit(folder: Path) -> dict[str, Any]:
    """A table: numbers with statistics, in the file and beside it, and a region as one of four."""
    layers = tf_keras.layers
    numbers, region = layers.Input((3,), name="numbers"), layers.Input((4,), name="region_one_hot")
    hidden = layers.Dense(6, activation="relu")(layers.Concatenate()([numbers, region]))
    model = tf_keras.Model([numbers, region], layers.Dense(1, name="logit")(hidden))
    model.save(folder / "credit.h5")
    mean, std = np.array([41.0, 30000.0, 2.5]), np.array([12.0, 15000.0, 1.5])
    with h5py.File(folder / "credit.h5", "r+") as file:
        file["scaler/mean"] = mean[None]
    np.savez(folder / "credit.npz", scale=std)
    rows = np.array([[23, 18000, 0], [65, 52000, 4], [40, 30500, 2]], np.float32)
    regions = np.array([3, 0, 1])
    prepared = [((rows - mean) / std).astype(np.float32), np.eye(4, dtype=np.float32)[regions]]
    risk = sigmoid(model(prepared).numpy())
    return {"rows": rows, "regions": regions, "risk": risk}


@training
def reviews(folder: Path) -> dict[str, Any]:
    """Text, as words of a vocabulary."""
    layers = tf_keras.layers
    words = layers.Input((6,), dtype="int32", name="words")
    hidden = layers.GlobalAveragePooling1D()(layers.Embedding(9, 4)(words))
    model = tf_keras.Model(words, layers.Dense(2, activation="softmax", name="mood")(hidden))
    model.save(folder / "reviews.h5")
    vocabulary = ["", "[UNK]", "good", "bad", "very", "not", "film", "the", "süß"]
    (folder / "vocabulary.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    texts = ["The film: very, VERY good!", "not süß", "bad bad bad bad bad good good", "?"]
    indices = np.ones((4, 6), np.int32)
    for row, text in zip(indices, texts, strict=True):
        found = re.sub(r"[^\w\s]", "", text.lower()).split()[:6]
        row[:] = [*(vocabulary.index(w) if w in vocabulary else 1 for w in found), *[0] * (6 - len(found))]
    scores = model(indices).numpy()
    best = np.array(["negative", "positive"])[scores.argmax(-1)]
    return {"texts": np.array(texts), "scores": scores, "best": best}


@training
def sensor(folder: Path) -> dict[str, Any]:
    """Sequences into an LSTM, two outputs, and layer names with spaces."""
    layers = keras.layers
    window = layers.Input((None, 2), name="window of samples")
    hidden = layers.LSTM(4, name="the memory")(window)
    outputs = [layers.Dense(3, name="the state")(hidden), layers.Dense(2, name="alarms")(hidden)]
    model = keras.Model(window, outputs)
    model.save(folder / "sensor.h5")
    windows = RANDOM.randint(-2000, 2000, (3, 5, 2))
    padded = np.concatenate([np.zeros((3, 3, 2)), windows], axis=1) * 0.001
    state, alarms = (found.numpy() for found in model(padded.astype(np.float32)))
    ended = np.concatenate([windows * 0.001, np.full((3, 3, 2), 0.5)], axis=1).astype(np.float32)
    return {
        "windows": windows,
        "state": state,
        "alarms": sigmoid(alarms),
        "state of ended": model(ended)[0].numpy(),
    }


@training
def memory(folder: Path) -> dict[str, Any]:
    """An LSTM that is stateful, of a fixed batch; it begins each request afresh."""
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.LSTM(3, stateful=True, batch_input_shape=(2, 4, 2), name="lstm"),
            layers.Dense(1, name="next"),
        ]
    )
    given = RANDOM.rand(2, 4, 2).astype(np.float32)
    fresh = model(given).numpy()
    model.reset_states()
    model.save(folder / "memory.h5")
    return {"given": given, "next": fresh}


@training
def nested(folder: Path) -> dict[str, Any]:
    """A model in a model, and names with slashes, of two inputs of one shape."""
    layers = tf_keras.layers
    inner = tf_keras.Sequential([layers.Input((3,)), layers.Dense(4, name="in/here")], name="inner")
    left, right = layers.Input((3,), name="eye/left"), layers.Input((3,), name="eye/right")
    difference = layers.Subtract()([inner(left), layers.Dense(4)(right)])
    model = tf_keras.Model([left, right], layers.Dense(2, name="out/put")(difference))
    model.save(folder / "nested.h5")
    given = [RANDOM.rand(3, 3).astype(np.float32) for _ in range(2)]
    return {"left": given[0], "right": given[1], "answer": model(given).numpy()}


@training
def price(folder: Path) -> dict[str, Any]:
    """A regression over two columns."""
    layers = keras.layers
    model = keras.Sequential([layers.Input((2,), name="house"), layers.Dense(1, name="price")])
    model.save(folder / "price.h5")
    rows = np.array([[120, 4], [60, 2], [75, 3]], np.float32)
    prepared = ((rows - [80, 3]) / [30, 1]).astype(np.float32)
    return {"rows": rows, "price": model(prepared).numpy()}


@training
def mail(folder: Path) -> dict[str, Any]:
    """Text as it is: the model has a layer for it, whose vocabulary the file does not hold."""
    layers = keras.layers
    words = layers.TextVectorization(output_sequence_length=4, name="words")
    words.adapt(np.array(["win money now", "lunch at noon", "money for lunch"]))
    text = layers.Input((1,), dtype="string", name="text")
    hidden = layers.GlobalAveragePooling1D()(layers.Embedding(10, 3)(words(text)))
    model = keras.Model(text, layers.Dense(1, activation="sigmoid", name="spam")(hidden))
    model.save(folder / "mail.h5")
    (folder / "mail.txt").write_text("\n".join(words.get_vocabulary()) + "\n", encoding="utf-8")
    texts = np.array([["WIN: money!"], ["lunch, at noon, for one of us"], ["a word of no vocabulary"]])
    return {"texts": texts, "spam": model(tf.constant(texts)).numpy()}


def main(folder: Path) -> None:
    for name, train in TRAININGS.items():
        keras.utils.set_random_seed(3)
        np.savez(folder / f"{name}.answers.npz", **train(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
