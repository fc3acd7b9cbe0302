"""Architectures for the weights-only files among the real ones, told from their names and shapes."""

from __future__ import annotations

import keras
from keras import layers


def elu():
    return keras.Sequential([layers.Input((16,)), layers.Dense(32, name="dense"), layers.ELU(name="elu_1")])


def bankchurn():
    hidden = [layers.Dense(size, activation="relu", name=f"dense_{3 + i}") for i, size in enumerate((64, 32))]
    return keras.Sequential([layers.Input((12,)), *hidden, layers.Dense(1, "sigmoid", name="dense_5")])


def snake():
    blocks = [
        layers.Conv2D(32, 3, padding="same"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, padding="same"),
    ]
    ends = [layers.GlobalAveragePooling2D(), layers.Dense(64, "relu"), layers.Dense(4)]
    return keras.Sequential([layers.Input((12, 12, 3)), *blocks, *ends])


def k11x_cnn():
    convolutions = [layers.Conv2D(2, (3, 2), name="conv2d_1"), layers.Conv2D(1, (2, 3), name="conv2d_2")]
    dense = [layers.Dense(2, "relu", name="dense_1"), layers.Dense(3, "softmax", name="dense_2")]
    return keras.Sequential(
        [layers.Input((8, 8, 3)), *convolutions, layers.MaxPooling2D(3), layers.Flatten(), *dense]
    )


class Attention(layers.Layer):
    """The mean of all steps, weighted by how well each fits a learnt vector."""

    def build(self, shape):
        self.vector = self.add_weight(name="attention_W", shape=(shape[-1], 1))
        self.built = True

    def call(self, inputs):
        import tensorflow as tf

        return tf.reduce_sum(inputs * tf.nn.softmax(inputs @ self.vector, axis=1), axis=1)


def textgenrnn():
    words = layers.Input((40,), name="input")
    embedded = layers.Embedding(465, 100, name="embedding")(words)
    first = layers.LSTM(128, return_sequences=True, name="rnn_1")(embedded)
    second = layers.LSTM(128, return_sequences=True, name="rnn_2")(first)
    attended = Attention(name="attention")(layers.Concatenate()([embedded, first, second]))
    return keras.Model(words, layers.Dense(465, "softmax", name="output")(attended))
