"""The main job on real data: handwritten digits, from training to a served model that answers right.

    scripts/demo [--retrain]

Everything goes below build/demo. With a container engine the image is built and run there; without one it is
written as an OCI layout and the embedded server answers as a local process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import requests

import packager
from packager.cli.screen import size_text
from packager.errors import EngineUnavailableError, PackagerError

FOLDER = Path(__file__).resolve().parents[1] / "build" / "demo"
H5 = FOLDER / "digits.h5"
TAG = "packager-demo/digits:latest"
SHOWN = 8


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--retrain", action="store_true", help="train again even if the model is there")
    parser.add_argument("--only-train", action="store_true", help="train, and package nothing")
    arguments = parser.parse_args()
    if arguments.only_train:
        train(H5)
        return 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.chdir(FOLDER)
    if arguments.retrain or not H5.exists():
        # TensorFlow stays in a process of its own, and its warnings with it.
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run([sys.executable, __file__, "--only-train"], check=True, env=environment)
    else:
        print(f"using {H5.relative_to(FOLDER)}, trained before (train again: scripts/demo --retrain)")
    command = ["package", H5.name, "--name", "digits", "--tag", TAG, "--base", "auto"]
    print(f"\n$ packager {' '.join(command)}", flush=True)
    code = subprocess.run([sys.executable, "-m", "packager", *command], check=False).returncode
    return code or show_predictions()


def train(path: Path) -> None:
    """Train a small convolutional network on scikit-learn's digits: 1797 images of 8 x 8 pixels."""
    import keras
    from absl import logging

    logging.set_verbosity(logging.ERROR)  # Keras would rather save another format
    images, labels = digits()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((8, 8, 1), name="image"),
            layers.Rescaling(1 / 16),
            layers.Conv2D(16, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax", name="digit"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    held_out = slice(-200, None)
    started = time.monotonic()
    model.fit(images[:-200], labels[:-200], epochs=12, batch_size=32, verbose=0)
    accuracy = model.evaluate(images[held_out], labels[held_out], verbose=0)[1]
    print(f"trained in {time.monotonic() - started:.0f} s: {accuracy:.1%} of 200 held-out images are right")
    model.save(path)
    print(f"saved {path.name} ({size_text(path.stat().st_size)})")


def digits() -> tuple[Any, Any]:
    """Return images, shape (1797, 8, 8, 1) of ink from 0 to 16, and their labels."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return data.images.astype(np.float32)[..., np.newaxis], data.target


def show_predictions() -> int:
    """Ask the packaged model for digits that it was not trained on, and print what it answers."""
    images, labels = digits()
    target = TAG if engine_answers() else "models/digits"
    print(f"\nasking {target} for {SHOWN} of the held-out digits")
    with packager.running(target) as url:
        answer = requests.post(f"{url}:predict", json={"instances": images[-SHOWN:].tolist()}, timeout=30)
    answer.raise_for_status()
    show_table(images[-SHOWN:], labels[-SHOWN:], answer.json()["predictions"])
    return 0


def engine_answers() -> bool:
    try:
        from packager.engine import connect

        connect().close()
    except EngineUnavailableError:
        return False
    return True


def show_table(images: Any, labels: Sequence[int], predictions: Sequence[Sequence[float]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("image", "is", "answer", "probability", "next best")
    for image, label, probabilities in zip(images, labels, predictions, strict=True):
        best, second = np.argsort(probabilities)[::-1][:2]
        right = "[green]" if best == label else "[red]"
        table.add_row(
            drawing(image),
            str(label),
            f"{right}{best}[/]",
            f"{probabilities[best]:.1%}",
            f"{second} ({probabilities[second]:.1%})",
        )
    Console().print(table)


def drawing(image: Any) -> str:
    """Draw 8 x 8 pixels in four lines of eight characters, two pixels above each other in each."""
    ink = image[..., 0] > 6
    blocks = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}
    rows = zip(ink[0::2], ink[1::2], strict=True)
    return "\n".join("".join(blocks[int(a), int(b)] for a, b in zip(*row, strict=True)) for row in rows)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PackagerError as error:
        sys.exit(f"error: {error}\nhint: {error.hint}")
