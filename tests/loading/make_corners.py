"""Write a model with the layer of ``corners.py``, and its answer: ``make_corners.py LIBRARY FOLDER``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np


def main() -> None:
    library, folder = sys.argv[1], Path(sys.argv[2])
    keras = sys.modules["keras"] = importlib.import_module(library)
    from corners import Corners

    given = keras.Input((6, 6, 1), name="picture")
    model = keras.Model(given, keras.layers.Dense(3, name="dense")(Corners(name="corners")(given)))
    question = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype(np.float32)
    model.save(folder / "corners.h5", include_optimizer=False)
    np.savez(folder / "corners.npz", given=question, answer=model(question).numpy())


if __name__ == "__main__":
    main()
