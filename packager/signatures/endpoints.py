"""Which signatures a model gets, each with the function that answers it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from packager.errors import SignatureError
from packager.signatures.declaration import Declaration, InputDeclaration, OutputDeclaration
from packager.signatures.examples import CLASSIFY_METHOD, EXAMPLES, REGRESS_METHOD, example_request, parser
from packager.signatures.images import decoder, image_request, takes_images
from packager.signatures.inputs import PIXELS, adapter, image_functions
from packager.signatures.postprocessing import activated, derived_outputs
from packager.signatures.preprocessing import chain
from packager.signatures.serving import DEFAULT_KEY, PREDICT_METHOD, check_names, rename
from packager.values import Endpoint, TensorSpec

Call = Callable[[Sequence[Any]], Sequence[Any]]


class Endpoints:
    """The endpoints of one model: ``serving_default``, unless switched off, then those asked for or fit."""

    def __init__(
        self,
        call: Call,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        *,
        declaration: Declaration,
        vocabularies: Sequence[int | None],
        layer_classes: Iterable[str],
        input_names: Mapping[str, str],
        output_names: Mapping[str, str],
    ) -> None:
        """Raise SignatureError where ``declaration`` or a name does not fit the model.

        ``vocabularies`` tell below what the whole numbers of each input lie; the names, old to new, win over
        declared ones.
        """
        self._call = call
        self._scales = not _SCALING.isdisjoint(layer_classes)
        self._declaration = declaration
        named = rename(inputs, _names(declaration.inputs, input_names), side="input")
        self._adapters = [
            adapter(
                spec,
                public.name,
                declaration.inputs.get(spec.name, InputDeclaration()),
                batch=declaration.batch,
                vocabulary=vocabulary,
                alone=len(inputs) == 1,
            )
            for spec, public, vocabulary in zip(inputs, named, vocabularies, strict=True)
        ]
        self._sent = tuple(spec for found in self._adapters for spec in found.published)
        self._outputs = rename(outputs, _names(declaration.outputs, output_names), side="output")
        self._declared = [declaration.outputs.get(spec.name, OutputDeclaration()) for spec in outputs]
        self._derived = [
            (name, i, function)
            for i, (declared, spec) in enumerate(zip(self._declared, self._outputs, strict=True))
            for name, function in derived_outputs(declared, spec)
        ]
        check_names([spec.name for spec in self._sent], side="input")
        check_names([name for name, _, _ in self._derived], side="output")

    def all(self) -> tuple[Endpoint, ...]:
        """Return the endpoints. Raises SignatureError where all are switched off."""
        offered = tuple(self._offered())
        if not offered:
            raise SignatureError(
                "signatures.serving_default = false: no other signature is left",
                hint="switch one on: [signatures] bytes, classify or regress = true",
            )
        return offered

    def _offered(self) -> Iterator[Endpoint]:
        wanted = self._declaration.signatures
        if wanted.get(DEFAULT_KEY, True):
            yield self._tensors()
        if self._offers_bytes():
            if not self._takes_one_image():
                raise SignatureError(
                    f"no signature 'bytes' for inputs {_listed(self._sent)}",
                    hint="it is for models with one input of grey or RGB images",
                )
            yield self._bytes()
        if wanted.get("classify"):
            yield self._classify()
        if wanted.get("regress"):
            yield self._regress()

    def _offers_bytes(self) -> bool:
        scaled = self._scales or bool(self._adapters[0].declared.steps)
        return self._declaration.signatures.get("bytes", scaled and self._takes_one_image())

    def _takes_one_image(self) -> bool:
        return len(self._sent) == 1 and takes_images(self._sent[0])

    def _endpoint(self, key: str, method: str, **of_its_own: Any) -> Endpoint:
        """Return an endpoint with all that is the same for each."""
        drawn_from = [found.drawn_from for found in self._adapters for _ in found.published]
        return Endpoint(
            key=key,
            method=method,
            plain=self._sent,
            drawn_from=(PIXELS,) if self._offers_bytes() else tuple(drawn_from),
            resources=tuple(resource for found in self._adapters for resource in found.resources),
            **of_its_own,
        )

    def _tensors(self) -> Endpoint:
        return self._endpoint(
            DEFAULT_KEY,
            PREDICT_METHOD,
            inputs=self._sent,
            outputs=self._names_out(),
            call=lambda tensors: self._answer(self._scores(tensors)),
        )

    def _bytes(self) -> Endpoint:
        (spec,), (found,) = self._sent, self._adapters
        resize, functions = image_functions(found)
        prepare = chain([decoder(spec, resize), *functions])
        name = spec.name if spec.name.endswith("_bytes") else f"{spec.name}_bytes"
        return self._endpoint(
            "bytes",
            PREDICT_METHOD,
            inputs=(TensorSpec(name=name, dtype="string", shape=spec.shape[:1]),),
            outputs=self._names_out(),
            call=lambda tensors: self._answer(self._activated([prepare(tensors[0])])),
            encode=image_request,
        )

    def _classify(self) -> Endpoint:
        spec, labels = self._only_output("classify", rank=2), self._declared[0].labels

        def classes(scores: Any) -> Sequence[Any]:
            scores = tf.concat([1 - scores, scores], -1) if spec.shape[-1] == 1 else scores
            return [scores, tf.broadcast_to(tf.constant(labels), tf.shape(scores))] if labels else [scores]

        names = ("scores", "classes") if labels else ("scores",)
        return self._examples("classify", CLASSIFY_METHOD, names, classes)

    def _regress(self) -> Endpoint:
        spec = self._only_output("regress", rank=2)
        if spec.shape[-1] != 1:
            raise SignatureError(f"no signature 'regress' for output {spec}", hint="it is for one value each")
        return self._examples("regress", REGRESS_METHOD, ("outputs",), lambda scores: [scores[:, 0]])

    def _examples(
        self, key: str, method: str, names: tuple[str, ...], finish: Callable[[Any], Sequence[Any]]
    ) -> Endpoint:
        parse = parser(self._sent)
        return self._endpoint(
            key,
            method,
            inputs=(dataclasses.replace(EXAMPLES, shape=self._sent[0].shape[:1]),),
            outputs=names,
            call=lambda tensors: finish(tf.cast(self._scores(parse(tensors[0]))[0], tf.float32)),
            encode=example_request(self._sent),
        )

    def _scores(self, tensors: Sequence[Any]) -> list[Any]:
        given = iter(tensors)
        return self._activated([found([next(given) for _ in found.published]) for found in self._adapters])

    def _activated(self, tensors: Sequence[Any]) -> list[Any]:
        answers = self._call(tensors)
        return [activated(declared, a) for declared, a in zip(self._declared, answers, strict=True)]

    def _answer(self, scores: Sequence[Any]) -> list[Any]:
        return [function(scores[i]) for _, i, function in self._derived]

    def _names_out(self) -> tuple[str, ...]:
        return tuple(name for name, _, _ in self._derived)

    def _only_output(self, key: str, *, rank: int) -> TensorSpec:
        if len(self._outputs) != 1 or len(self._outputs[0].shape) != rank:
            raise SignatureError(
                f"no signature {key!r} for outputs {_listed(self._outputs)}",
                hint="it is for models with one output, a row of scores for each example",
            )
        return self._outputs[0]


def unscaled_images(
    inputs: Iterable[TensorSpec], declaration: Declaration, layer_classes: Iterable[str]
) -> tuple[str, ...]:
    """Warn of image-like inputs that neither the file nor ``declaration`` scales."""
    if not _MAY_SCALE.isdisjoint(layer_classes):
        return ()
    return tuple(
        f"input {spec.name!r} looks like images, and nothing scales them: clients have to send what the "
        f"model was trained on, or declare it: [inputs.{spec.name}] steps = [{{ rescale = 0.003921569 }}]"
        for spec in inputs
        if takes_images(spec) and not _declares_steps(declaration, spec.name)
    )


_SCALING = {"Rescaling", "Normalization"}
"""Layer classes that do nothing else: what has one takes images as they are."""

_MAY_SCALE = _SCALING | {"TFOpLambda", "TrueDivide", "Divide", "Lambda"}
"""Layer classes that can scale what they get; a BatchNormalization does so only by what it has seen."""


def _declares_steps(declaration: Declaration, name: str) -> bool:
    return name in declaration.inputs and bool(declaration.inputs[name].steps)


def _names(
    declared: Mapping[str, InputDeclaration] | Mapping[str, OutputDeclaration], asked: Mapping[str, str]
) -> dict[str, str]:
    return {**{old: entry.name or old for old, entry in declared.items()}, **asked}


def _listed(specs: Iterable[TensorSpec]) -> str:
    return ", ".join(map(str, specs))
