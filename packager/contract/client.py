"""Clients to start from: programs that send the recorded request, with what every machine has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from string import Template
from typing import Any
from urllib.parse import quote

from packager.contract.calls import LIMIT, ExampleCall
from packager.contract.samples import Sample
from packager.errors import UsageError

LANGUAGES = ("python", "curl")

_WIDTH = 100

_PYTHON = Template('''\
"""Ask the model $model for a prediction: python client.py [SERVER]."""

import json
import sys
import urllib.error
import urllib.request

SERVER = sys.argv[1] if len(sys.argv) > 1 else "$server"
URL = f"{SERVER}$path"
$functions
REQUEST = $request
$answer

def ask(request: dict) -> dict:
    """Return the server's answer to a request."""
    body = json.dumps(request).encode()
    message = urllib.request.Request(URL, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(message, timeout=30) as answer:
        return json.load(answer)


if __name__ == "__main__":
    try:
        print(json.dumps(ask(REQUEST), indent=2))
    except urllib.error.HTTPError as error:
        sys.exit(f"{error}: {error.read().decode()}")
    except urllib.error.URLError as error:
        sys.exit(f"{URL}: {error.reason}")
''')

_FILLED = '''

def filled(value, *shape):
    """Return nested lists of that shape: put your data in their place."""
    for size in reversed(shape):
        value = [value] * size
    return value

'''

_CURL = Template("""\
#!/bin/sh
# Ask the model $model for a prediction: sh client.sh [SERVER]
server=$${1:-$server}
curl --fail-with-body --silent --show-error --max-time 30 \\
  --header 'Content-Type: application/json' --data-binary @- \\
  "$$server$path" <<'END'
$request
END
$answer""")


def client_text(call: ExampleCall, sample: Sample | None, *, model: str, language: str, server: str) -> str:
    """Return a program in ``language`` that sends ``call`` whole, however long it is.

    ``sample`` is what it was made of: a program in Python makes up numbers in the shape of its tensors where
    they are too many to be read. Raises UsageError for another language.
    """
    body = call.row or call.columnar
    answer = call.row_answer if call.row else call.columnar_answer
    values: Mapping[str, Any] = {
        "model": repr(model),
        "server": server,
        "path": f"/v1/models/{quote(model, safe='')}:{call.interface}",
    }
    if language == "python":
        long = sample is not None and len(json.dumps(body)) > LIMIT and _is_numeric(sample)
        return _PYTHON.substitute(
            values,
            functions=_FILLED if long else "",
            request=_filled_request(body, sample) if long and sample else _literal(body),
            answer="" if long else _recorded(answer),
        )
    if language == "curl":
        return _CURL.substitute(values, request=json.dumps(body), answer=_recorded(answer, "\n"))
    raise UsageError(f"invalid --language {language!r}", hint=f"--language {' or '.join(LANGUAGES)}")


def _recorded(answer: Any, begin: str = "") -> str:
    text = json.dumps(answer)
    known = answer is not None and len(text) <= _WIDTH * 10
    return f"{begin}# The source model answered: {text}\n" if known else ""


def _is_numeric(sample: Sample) -> bool:
    return all(array.dtype.kind in "biuf" for array in sample.inputs.values())


def _literal(body: Any) -> str:
    """Return the request as Python writes it, over several lines where it is long."""
    from pprint import pformat

    text: str = pformat(body, width=_WIDTH, sort_dicts=False)
    return text


def _filled_request(body: Any, sample: Sample) -> str:
    """Return a request of one example, in row form where ``body`` is, with numbers made up by shape."""
    named = f'"signature_name": "{sample.signature}", ' if "signature_name" in body else ""
    in_rows = "instances" in body
    tensors = ", ".join(
        f"{name!r}: filled({_number(array)}, {', '.join(map(str, array.shape[1 if in_rows else 0 :]))})"
        for name, array in sample.inputs.items()
    )
    content = f'"instances": [{{{tensors}}}]' if in_rows else f'"inputs": {{{tensors}}}'
    return f"{{{named}{content}}}"


def _number(array: Any) -> str:
    return {"f": "0.5", "b": "True"}.get(array.dtype.kind, "1")
