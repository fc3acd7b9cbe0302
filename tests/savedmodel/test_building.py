"""A graph put together directly is the one that TensorFlow's builder makes, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.tensorflow


def _spec(name: str, *shape: int | None, dtype: str = "float32") -> Any:
    import tensorflow as tf

    return tf.TensorSpec(shape, dtype, name=name)


def _traced(call: Callable[..., Mapping[str, Any]], *specs: Any) -> Any:
    import tensorflow as tf

    def serve(*inputs: Any) -> Mapping[str, Any]:
        return call(*inputs)

    return tf.function(serve, input_signature=specs, autograph=False).get_concrete_function()


def _one() -> tuple[dict[str, Any], list[Any]]:
    import tensorflow as tf

    weight = tf.Variable([[1.0], [2.0]], name="layer/kernel")
    return {"serving_default": _traced(lambda x: {"y": x @ weight}, _spec("x", None, 2))}, [weight]


def _none() -> tuple[dict[str, Any], list[Any]]:
    return {"serving_default": _traced(lambda x: {"y": x + 1.0}, _spec("x", None, 2))}, []


def _names() -> tuple[dict[str, Any], list[Any]]:
    """Names of inputs that are used otherwise, differ by case, and are not in the order of names."""
    import tensorflow as tf

    weights = [tf.Variable(3.0, name=name) for name in ("nested/B", "NoOp", "serving_default_z")]
    specs = [
        _spec(name, None, place + 1) for place, name in enumerate(("z", "unknown", "B", "a_1", "unknown_0"))
    ]
    sums = _traced(
        lambda *inputs: {
            f"{i} of/all": x * weights[i % 3] for i, x in enumerate(sorted(inputs, key=lambda x: x.shape[1]))
        },
        *specs,
    )
    return {"serving_default": sums}, weights


def _several() -> tuple[dict[str, Any], list[Any]]:
    """Signatures that share variables, with names and types of all kinds."""
    import tensorflow as tf

    half = tf.Variable(tf.ones((4, 5), tf.bfloat16), name="half")
    counts = tf.Variable([1, 2, 3], name="counts", trainable=False, dtype=tf.int64)

    def classify(texts: Any) -> dict[str, Any]:
        return {"classes": tf.strings.upper(texts), "scores": tf.gather(counts, tf.strings.length(texts))}

    def ranks(x: Any) -> dict[str, Any]:
        return {"unknown": tf.unique(tf.reshape(x, [-1]))[0], "other": tf.cast(x, tf.bfloat16) @ half}

    functions = {
        "serving_default": _traced(ranks, _spec("x", None, 4)),
        "1 odd/key": _traced(classify, _spec("texts", None, dtype="string")),
        "classify": _traced(classify, _spec("Texts", None, dtype="string")),
    }
    return functions, [half, counts]


def _nested() -> tuple[dict[str, Any], list[Any]]:
    """Functions in functions, loops and branches that read variables, and one that draws at random."""
    import tensorflow as tf

    step, scale = tf.Variable(2.0, name="step"), tf.Variable(0.5, name="scale")

    @tf.function(jit_compile=True, autograph=False)
    def inner(x: Any) -> Any:
        return x * scale

    def call(x: Any, times: Any) -> dict[str, Any]:
        _, looped = tf.while_loop(lambda i, _: i < times, lambda i, y: (i + 1, inner(y) + step), (0, x))
        chosen = tf.cond(times > 2, lambda: looped + scale, lambda: looped + tf.random.uniform(()))
        return {"looped": looped, "chosen": chosen, "given": x, "given_again": x}

    specs = [_spec("x", None, None), _spec("times", dtype="int32")]
    return {"serving_default": _traced(call, *specs)}, [step, scale]


@pytest.mark.parametrize("make", [_one, _none, _names, _several, _nested])
def test_tensorflows_builder_makes_the_same(
    make: Callable[[], tuple[dict[str, Any], list[Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    from packager.savedmodel import export
    from packager.savedmodel.variables import checkpoint_tensors

    functions, weights = make()
    assert export.can_build(functions.values(), weights)
    module = tf.Module()
    module.weights, module.resources = weights, []
    written = []
    for direct in (True, False):
        folder = tmp_path / str(direct)
        folder.mkdir()
        monkeypatch.setattr(export, "can_build", lambda *_, direct=direct: direct)
        assert export._write_graph(module, functions, checkpoint_tensors(module), folder) == ()
        export.make_canonical(folder)
        written.append((folder / "saved_model.pb").read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize("names", [("a", "A"), ("a b",), ("_a",)])
def test_variables_that_cannot_be_nodes_are_left_to_tensorflow(names: tuple[str, ...]) -> None:
    import tensorflow as tf

    from packager.savedmodel.building import can_build

    variables = [tf.Variable(1.0, name=name) for name in names]
    assert not can_build([], variables)


def test_a_function_that_holds_a_tensor_is_left_to_tensorflow() -> None:
    import tensorflow as tf

    from packager.savedmodel.building import can_build

    constant = tf.range(1000)
    assert not can_build([_traced(lambda x: {"y": x + constant}, _spec("x", dtype="int32"))], [])


def test_what_a_process_traced_before_does_not_show(tmp_path: Path) -> None:
    """TensorFlow counts its functions, and names a loop's condition and what that takes by the count."""
    import tensorflow as tf

    from packager.savedmodel import export
    from packager.savedmodel.variables import checkpoint_tensors

    def call(x: Any, times: Any) -> dict[str, Any]:
        return {"y": tf.while_loop(lambda i, _: i < times, lambda i, y: (i + 1, y * x), (0, x))[1]}

    written = []
    for number in ("first", "second"):
        functions = {"serving_default": _traced(call, _spec("x", None), _spec("times", dtype="int32"))}
        module = tf.Module()
        module.weights, module.resources = [], []
        folder = tmp_path / number
        folder.mkdir()
        export._write_graph(module, functions, checkpoint_tensors(module), folder)
        export.make_canonical(folder)
        written.append((folder / "saved_model.pb").read_bytes())
    assert b"___redundant_placeholder0" in written[0]
    assert written[0] == written[1]
