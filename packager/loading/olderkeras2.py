"""Architectures of older Keras 2, told so that tf_keras builds what they were.

The defaults of a layer changed between releases, and layers for one GPU library had classes of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Config = dict[str, Any]

_CUDNN = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}


def with_defaults_of_old(config: Mapping[str, Any]) -> Config:
    """Return an architecture of any Keras 2 with what was left to the defaults of its time written out.

    Before 2.1.3 a GRU had one variant, and no ``reset_after`` to record it. ``CuDNNLSTM`` and ``CuDNNGRU``
    computed what LSTM and GRU compute with these arguments (keras/layers/cudnn_recurrent.py of 2.2).
    """
    completed: Config = _completed(config)
    return completed


def _completed(node: Any) -> Any:
    if isinstance(node, list):
        return [_completed(value) for value in node]
    if not isinstance(node, Mapping):
        return node
    done = {key: _completed(value) for key, value in node.items()}
    class_name, config = done.get("class_name"), done.get("config")
    if isinstance(config, dict):
        if class_name in _CUDNN:
            done["class_name"] = _CUDNN[class_name]
            config["recurrent_activation"] = "sigmoid"
            config["reset_after"] = True
        if class_name in ("GRU", "GRUCell"):
            config.setdefault("reset_after", False)
        if done.get("class_name") == "LSTM":
            config.pop("reset_after", None)
    return done
