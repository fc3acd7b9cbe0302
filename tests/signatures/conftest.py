"""Models with declared signatures, each converted once and served once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

import packager
from packager.values import Conversion, ConversionOptions


@dataclass(frozen=True)
class Served:
    """A converted model, and the URL at which the embedded server answers for it."""

    conversion: Conversion
    url: str

    def ask(self, verb: str = "predict", **body: Any) -> Any:
        """Post a request and return the answer's JSON, which has to be right."""
        answer = requests.post(f"{self.url}:{verb}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()


Serve = Callable[[str, str], Served]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    maker = Path(__file__).with_name("make_signature_models.py")
    subprocess.run([sys.executable, maker, folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def serve(models: Path) -> Iterator[Serve]:
    """Convert the model of that name with a declaration, once, and serve it."""
    served: dict[str, Served] = {}
    with ExitStack() as stack:

        def serve(name: str, declaration: str) -> Served:
            if name not in served:
                file = models / f"{name}.toml"
                file.write_text(declaration)
                options = ConversionOptions(signature=file if declaration else None)
                conversion = packager.convert(
                    models / f"{name}.h5", name=name, output=models / "out", options=options
                )
                url = stack.enter_context(packager.running(conversion.servable.path.parent))
                served[name] = Served(conversion, url)
            return served[name]

        yield serve
