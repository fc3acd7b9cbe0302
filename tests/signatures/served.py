"""Trained models, converted with their declarations, behind one server for all tests."""

from __future__ import annotations

import base64
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import requests

from packager.contract import Sample
from packager.protocol import methods
from packager.protocol.services import PREDICTION
from packager.smoketest.grpc_model import grpc_model

REPOSITORY = Path(__file__).resolve().parents[2]


DOCUMENT = REPOSITORY / "docs" / "signatures.md"


EXAMPLES = dict(re.findall(r"<!-- example: (\w+) -->\n```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL))
"""The declarations of the document, by the model that they are for."""


OTHERS = {
    "digits": '[inputs.pixels]\nsteps = [{ keras_applications = "tf" }]\n',
    "price": """
        [signatures]
        regress = true
        [inputs.house]
        columns = ["area", "rooms"]
        steps = [{ mean = { rooms = 3, area = 80 }, std = [30, 1] }]
    """,
    "thumbnails": """
        batch = 2
        [inputs.pixels]
        steps = [{ resize = [12, 12], aspect = "pad" }, { keras_applications = "caffe" }]
    """,
    "prints": """
        [inputs.pixels]
        steps = [{ resize = [12, 12] }, { colour_order = "bgr" }, { keras_applications = "torch" }]
    """,
    "readings": """
        [inputs."window of samples"]
        steps = [{ pad = 8, value = 0.5 }]
    """,
    "files": "[signatures]\nserving_default = false\n",
    "offers": """
        [signatures]
        serving_default = false
        classify = true
        [inputs.words]
        name = "text"
        steps = [{ split = 6 }, { vocabulary = "vocabulary.txt" }]
        [outputs.mood]
        labels = ["negative", "positive"]
    """,
}


FILES = {
    "files": "badges",
    "offers": "reviews",
    "thumbnails": "flowers",
    "prints": "flowers",
    "readings": "sensor",
}
"""The trainings of models that are none of their own."""


OPTIONS = {"mail": ("--vocabulary", "words=mail.txt")}
"""What else the command is given."""


NAMES = (*EXAMPLES, *OTHERS, "memory", "nested", "badges", "mail")


SECONDS = 60.0


@dataclass(frozen=True)
class Model:
    """One converted model, what the training says that it answers, and the server that has it."""

    name: str
    folder: Path
    said: str
    answers: Mapping[str, Any]
    rest_port: int
    grpc_port: int

    @property
    def files(self) -> list[bytes]:
        """The encoded pictures of the training."""
        return [self.answers[key].tobytes() for key in sorted(self.answers) if key.startswith("file")]

    def rest(self, *, verb: str = "predict", **body: Any) -> Any:
        """Ask over REST and return the answer, which has to be one."""
        answered = self.post(verb, body)
        assert answered.status_code == 200, answered.text
        return answered.json()

    def post(self, verb: str, body: Any) -> requests.Response:
        url = f"http://127.0.0.1:{self.rest_port}/v1/models/{self.name}:{verb}"
        return requests.post(url, json=body, timeout=SECONDS)

    def grpc(self, signature: str = "serving_default", **inputs: Any) -> Mapping[str, Any]:
        """Ask over gRPC."""
        sample = Sample(signature=signature, inputs=inputs, outputs={})
        address = f"127.0.0.1:{self.grpc_port}"
        with grpc_model(address, model=self.name, version=1, timeout=SECONDS) as model:
            return model.predict(model.request(sample))

    def grpc_examples(self, method: str, signature: str, examples: list[bytes]) -> Any:
        """Ask ``Classify`` or ``Regress`` over gRPC."""
        called = dict(methods(PREDICTION))[method]
        request = called.request()
        request.model_spec.name, request.model_spec.signature_name = self.name, signature
        request.input.example_list.examples.extend(examples)
        with grpc.insecure_channel(f"127.0.0.1:{self.grpc_port}") as channel:
            return channel.unary_unary(called.path, **called.codecs)(request, timeout=SECONDS)


def b64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}


def convert(folder: Path, name: str) -> str:
    declared = folder / f"{name}.toml"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "packager", "convert", f"{FILES.get(name, name)}.h5", "--name", name),
            *OPTIONS.get(name, ()),
            *(("--signature", declared) if declared.exists() else ()),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{name}: {done.stderr}"
    return done.stdout


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def wait_until_available(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    left = set(NAMES)
    while left:
        assert server.poll() is None, f"the server ended:\n{log.read_text()}"
        assert time.monotonic() < deadline, f"not available: {sorted(left)}"
        for name in sorted(left):
            try:
                answer = requests.get(f"http://127.0.0.1:{port}/v1/models/{name}", timeout=SECONDS)
            except requests.ConnectionError:
                break
            if '"AVAILABLE"' in answer.text:
                left.discard(name)
        time.sleep(0.05)
