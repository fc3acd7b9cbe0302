"""The options of a conversion, which ``convert`` and ``package`` share, and what they mean."""

from __future__ import annotations

import functools
import inspect
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from packager.cli import options
from packager.errors import UsageError
from packager.values import Closeness, ConversionOptions, Supplied

Chosen: TypeAlias = Callable[[], ConversionOptions]
"""Parses what was chosen, or raises UsageError: to be called where errors are shown."""

InputName = Annotated[
    list[str] | None,
    typer.Option("--input-name", metavar="OLD=NEW", help="Publish an input under another name. Repeatable."),
]
OutputName = Annotated[
    list[str] | None,
    typer.Option(
        "--output-name", metavar="OLD=NEW", help="Publish an output under another name. Repeatable."
    ),
]
Signature = Annotated[
    Path | None,
    typer.Option(
        "--signature",
        metavar="FILE",
        help="TOML file that declares signatures, and the steps before and after the model; else "
        "what packager.toml in this folder declares under \\[models.NAME].",
    ),
]
Samples = Annotated[
    Path | None,
    typer.Option(
        "--samples",
        metavar="FILE",
        help="Real requests to record in place of random ones (.npz, arrays by input name): they become part "
        "of the model, and ship in its image.",
    ),
]
Golden = Annotated[
    Path | None,
    typer.Option(
        "--golden",
        metavar="FILE",
        help="Inputs with the outputs to expect (.npz or .h5: inputs/NAME, and outputs/NAME or "
        "predictions/NAME): other answers are an error.",
    ),
]
GoldenTolerance = Annotated[
    float,
    typer.Option(
        "--golden-tolerance", metavar="X", help="Largest difference from them, absolute and relative."
    ),
]
LoadTimeout = Annotated[
    float | None,
    typer.Option(
        "--load-timeout",
        metavar="S",
        help="Seconds that the process may take that rebuilds the model.",
        show_default="300, and 1 for each 4 MiB of weights",
    ),
]
LoadMemory = Annotated[
    str | None,
    typer.Option(
        "--load-memory",
        metavar="SIZE",
        help="Memory that it may take.",
        show_default="4 GiB, and 6 times the weights",
    ),
]
Rtol = Annotated[
    float,
    typer.Option("--rtol", metavar="X", help="How far an answer may be from the source's, relative to it."),
]
Atol = Annotated[
    float, typer.Option("--atol", metavar="X", help="How far an answer may be from the source's, absolute.")
]
Warmup = Annotated[
    list[int] | None,
    typer.Option(
        "--warmup",
        metavar="N",
        help="Batch size that the server plays before it is ready; 0 is none. Repeatable.",
        show_default="1",
    ),
]
WarmupSamples = Annotated[
    bool,
    typer.Option(
        "--warmup-samples",
        help="Let the server play requests of --samples, which then lie in the image once more.",
    ),
]
CompatibleWith = Annotated[
    str | None,
    typer.Option(
        "--compatible-with",
        metavar="OLD",
        help="Refuse to break clients of this contract file, model folder or image.",
    ),
]
Architecture = Annotated[
    str | None,
    typer.Option(
        "--architecture",
        metavar="SPEC",
        help="What weights belong to: a config (.json, .yaml), a stack of layers (.toml), file.py:function "
        "or module:function (it is run, in a process apart, because you name it), or "
        "keras.applications:Name.",
    ),
]
ArchitectureArg = Annotated[
    list[str] | None,
    typer.Option(
        "--architecture-arg", metavar="NAME=VALUE", help="Argument of that function, as JSON. Repeatable."
    ),
]
Mapping = Annotated[
    Path | None,
    typer.Option(
        "--mapping", metavar="FILE", help="TOML file that settles which dataset goes into which variable."
    ),
]
CustomObjects = Annotated[
    list[str] | None,
    typer.Option(
        "--custom-objects",
        metavar="MODULE",
        help="Module or file.py with classes and functions that Keras has not; run, in a process apart, "
        "because you name it. Repeatable.",
    ),
]
Lambdas = Annotated[
    list[str] | None,
    typer.Option(
        "--lambda",
        metavar="LAYER=FUNCTION",
        help="file.py:function or module:function to take in place of the bytecode in a Lambda layer; run, "
        "in a process apart, because you name it. Repeatable.",
    ),
]
AllowUnsafeLambda = Annotated[
    bool,
    typer.Option(
        "--allow-unsafe-lambda",
        help="Run bytecode in FILE that this Python can run, in a process apart: only for files of people "
        "you trust. The release record tells of it.",
    ),
]
Vocabulary = Annotated[
    list[str] | None,
    typer.Option(
        "--vocabulary",
        metavar="LAYER=FILE",
        help="Words of a text layer that was adapted, which HDF5 does not keep: an entry a line. Repeatable.",
    ),
]
Keras1Backend = Annotated[
    str | None,
    typer.Option(
        "--keras1-backend", metavar="BACKEND", help="theano or tensorflow: what wrote a file of Keras 1."
    ),
]


Optimize = Annotated[
    bool,
    typer.Option(
        "--optimize",
        help="Fold batch normalisation into the weights before it, and measure what that gains: answers move "
        "by rounding.",
    ),
]


def parse_options(
    *,
    input_name: InputName = None,
    output_name: OutputName = None,
    architecture: Architecture = None,
    architecture_arg: ArchitectureArg = None,
    mapping: Mapping = None,
    custom_objects: CustomObjects = None,
    lambdas: Lambdas = None,
    allow_unsafe_lambda: AllowUnsafeLambda = False,
    keras1_backend: Keras1Backend = None,
    vocabulary: Vocabulary = None,
    signature: Signature = None,
    samples: Samples = None,
    warmup: Warmup = None,
    golden: Golden = None,
    golden_tolerance: GoldenTolerance = 1e-5,
    load_timeout: LoadTimeout = None,
    load_memory: LoadMemory = None,
    warmup_samples: WarmupSamples = False,
    rtol: Rtol = 1e-5,
    atol: Atol = 1e-5,
    compatible_with: CompatibleWith = None,
    optimize: Optimize = False,
) -> ConversionOptions:
    """Parse the options of a conversion, or raise UsageError."""
    return ConversionOptions(
        input_names=options.parse_renames(input_name, "--input-name"),
        output_names=options.parse_renames(output_name, "--output-name"),
        supplied=parse_supplied(
            architecture=architecture,
            architecture_arg=architecture_arg,
            mapping=mapping,
            custom_objects=custom_objects,
            lambdas=lambdas,
            allow_unsafe_lambda=allow_unsafe_lambda,
            keras1_backend=keras1_backend,
            vocabulary=vocabulary,
        ),
        signature=signature,
        samples=samples,
        warmup=parse_warmup(warmup),
        golden=golden,
        golden_tolerance=golden_tolerance,
        load_timeout=parse_positive(load_timeout, "--load-timeout"),
        load_memory=options.parse_size(load_memory, "--load-memory"),
        warmup_samples=warmup_samples,
        close=Closeness(rtol=rtol, atol=atol),
        compatible_with=compatible_with,
        optimize=optimize,
    )


def with_conversion_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options of ``parse_options`` in place of its argument ``chosen``."""
    own = inspect.signature(verb, eval_str=True)
    asked = inspect.signature(parse_options, eval_str=True).parameters
    parameters: list[inspect.Parameter] = []
    for name, parameter in own.parameters.items():
        parameters += asked.values() if name == "chosen" else [parameter]

    @functools.wraps(verb)
    def run(**given: Any) -> None:
        chosen = functools.partial(parse_options, **{name: given.pop(name) for name in asked})
        verb(**given, chosen=chosen)

    signature = own.replace(
        parameters=[each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    )
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run


def parse_positive(value: float | None, option: str) -> float | None:
    """Return a number above 0, or raise UsageError."""
    if value is not None and not 0 < value < math.inf:
        raise UsageError(f"invalid {option} {value:g}", hint=f"{option} takes a number above 0")
    return value


def parse_warmup(sizes: Sequence[int] | None) -> tuple[int, ...]:
    """Return the batch sizes to warm up with, in order, or raise UsageError."""
    if any(size < 0 for size in sizes or ()):
        raise UsageError(f"invalid --warmup {min(sizes or ())}", hint="--warmup 1 --warmup 32, or --warmup 0")
    return tuple(sorted({*(sizes or [1])} - {0}))


def parse_supplied(
    *,
    architecture: str | None = None,
    architecture_arg: Sequence[str] | None = None,
    mapping: Path | None = None,
    custom_objects: Sequence[str] | None = None,
    lambdas: Sequence[str] | None = None,
    allow_unsafe_lambda: bool = False,
    keras1_backend: str | None = None,
    vocabulary: Sequence[str] | None = None,
) -> Supplied:
    """Parse what the user brings along for a file, or raise UsageError."""
    if keras1_backend not in (None, "theano", "tensorflow"):
        raise UsageError(
            f"invalid --keras1-backend {keras1_backend!r}", hint="--keras1-backend theano, or tensorflow"
        )
    return Supplied(
        architecture=architecture,
        arguments=tuple(
            (name, _json_or_text(value))
            for name, value in options.parse_renames(architecture_arg, "--architecture-arg").items()
        ),
        mapping=mapping,
        custom_objects=tuple(custom_objects or ()),
        lambdas=tuple(options.parse_renames(lambdas, "--lambda", "lambda_1=file.py:function").items()),
        allow_unsafe_lambda=allow_unsafe_lambda,
        keras1_backend=keras1_backend,
        vocabularies=tuple(
            (layer, Path(file))
            for layer, file in options.parse_renames(vocabulary, "--vocabulary", "text=words.txt").items()
        ),
    )


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value
