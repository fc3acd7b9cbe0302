"""What users write in a file of their own: for Keras 3, and for Keras 2 under the same name."""

from __future__ import annotations

import keras
from keras import layers


class Scale(layers.Layer):
    """A custom layer with a weight."""

    def __init__(self, start: float = 1.0, **options) -> None:
        super().__init__(**options)
        self.start = start

    def build(self, shape) -> None:
        self.factor = self.add_weight(
            name="factor", shape=(shape[-1],), initializer=keras.initializers.Constant(self.start)
        )
        self.built = True

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        return {**super().get_config(), "start": self.start}


def stack(units: int = 8):
    """Layers whose names are Keras' own."""
    return keras.Sequential(
        [
            layers.Input((6,)),
            layers.Dense(units, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(3, activation="softmax"),
        ]
    )


class OwnModel(keras.Model):
    """A class instead of a graph, with layers in attributes and in a list."""

    def __init__(self):
        super().__init__()
        self.hidden = [layers.Dense(5, activation="tanh") for _ in range(2)]
        self.normalized, self.last = layers.BatchNormalization(), layers.Dense(3)

    def call(self, inputs, training=False):
        for layer in self.hidden:
            inputs = layer(inputs)
        return self.last(self.normalized(inputs, training=training))


def own_class():
    model = OwnModel()
    model.build((None, 6))
    return model


def smaller():
    return keras.Sequential([layers.Input((6,)), layers.Dense(8), layers.BatchNormalization()])


def twins(first: str = "left", second: str = "right"):
    """Two layers of one shape, told apart by nothing but their names."""
    given = layers.Input((6,), name="given")
    made = {name: layers.Dense(6, activation="tanh", name=name) for name in (first, second)}
    left, right = made.get("left", made[first]), made.get("right", made[second])
    return keras.Model(given, right(layers.Activation("sigmoid", name="between")(left(given))))


def scaled():
    return keras.Sequential([layers.Input((6,)), Scale(2.0, name="scale"), layers.Dense(2, name="last")])


def recurrent(stateful: bool = False):
    inner = keras.Sequential([layers.Input((4,)), layers.Dense(3, activation="tanh")], name="inner")
    return keras.Sequential(
        [
            layers.Input(batch_shape=(4 if stateful else None, 5, 4)),
            layers.TimeDistributed(inner, name="steps"),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True, stateful=stateful), name="both"),
            layers.GRU(2, stateful=stateful, name="last"),
        ]
    )


def pictures(channels: str = "channels_last"):
    shape = (8, 6, 3) if channels == "channels_last" else (3, 8, 6)
    return keras.Sequential(
        [
            layers.Input(shape),
            layers.Conv2D(4, (3, 2), activation="relu", data_format=channels, name="first"),
            layers.MaxPooling2D(data_format=channels, name="pool"),
            layers.Conv2D(2, 2, data_format=channels, name="second"),
            layers.GlobalAveragePooling2D(data_format=channels, name="mean"),
        ]
    )


NOT_A_MODEL = 7
