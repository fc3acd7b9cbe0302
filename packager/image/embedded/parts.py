"""What the embedded runtime consists of: parts in the order of their layers, what changes least first."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

from packager.errors import BaseUnavailableError
from packager.image.embedded.debian import Unpacked
from packager.image.embedded.libraries import shared_objects
from packager.image.embedded.python import NAME, distribution, interpreter, standard_library
from packager.image.settings import PORTS
from packager.image.tarball import Entry, folder, with_parents
from packager.runtime import DISTRIBUTIONS, SERVER_PACKAGES, TENSORFLOW_LIBRARIES, tensorflow_folder

HOME = "opt/tfserving-packager"
"""Where Python lies in the image; ``site`` below it is the server's only module path."""

SITE = f"{HOME}/site"

_PROTOBUF_MODULES = ("core", "tsl", "compiler/xla")
"""Folders of the tensorflow package with the generated modules that its own protocol needs."""

_LAUNCHER = f"""\
#!/bin/sh
PYTHONPATH=/{SITE} exec /{HOME}/bin/{NAME} -s -S -m packager.serving "$@"
"""

_ENTRYPOINT = f"""\
#!/bin/sh
exec tensorflow_model_server --port={PORTS[0]} --rest_api_port={PORTS[1]} \\
  --model_name="$MODEL_NAME" --model_base_path="$MODEL_BASE_PATH/$MODEL_NAME" "$@"
"""

_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/:/bin/sh\nserving:x:65532:65532:serving:/:/bin/sh\n",
    "etc/group": "root:x:0:\nserving:x:65532:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One layer of the runtime."""

    name: str
    entries: tuple[Entry, ...]


def lower_parts(debian: Unpacked | None = None) -> tuple[Part, ...]:
    """Return what a runtime stands on: system and Python, this machine's unless they are ``debian``'s.

    Raises BaseUnavailableError where a part is not here.
    """
    if debian is not None:
        system, python = list(debian.system()), _python(debian.interpreter, debian.standard_library)
        return _part("system", [*system, *_skeleton()]), _part("python", python)
    shells, python = list(_shells()), _python()
    binaries = [entry.source for entry in (*shells, *python, *_above_python()) if _is_binary(entry)]
    system = [*shells, *_skeleton(), *shared_objects(filter(None, binaries))]
    return _part("system", system), _part("python", python)


def upper_parts(server: Path | None = None) -> tuple[Part, ...]:
    """Return what stands upon them, around the package ``packager`` in the folder ``server``.

    The installed one is the default. Raises BaseUnavailableError where a part is not here.
    """
    return (
        _part("tensorflow", list(_tensorflow())),
        _part("distributions", list(_distributions())),
        _part("server", list(_server(server or Path(__file__).parents[3]))),
    )


def _python(program: Path | None = None, library: Path | None = None) -> list[Entry]:
    return [interpreter(HOME, program), *standard_library(HOME, library)]


def _above_python() -> Iterator[Entry]:
    yield from _tensorflow()
    yield from _distributions()


def _distributions() -> Iterator[Entry]:
    for name in DISTRIBUTIONS:
        yield from distribution(name, SITE)


def _is_binary(entry: Entry) -> bool:
    return entry.source is not None and bool(entry.mode & 0o111 or ".so" in entry.source.name)


def packages(debian: Unpacked | None = None) -> tuple[str, ...]:
    """Return the packages of the runtime as package URLs (github.com/package-url/purl-spec)."""
    python = [f"pkg:pypi/{name}@{metadata.version(name)}" for name in DISTRIBUTIONS]
    tensorflow = f"pkg:pypi/tensorflow@{tensorflow_version()}"
    if debian is None:
        return (f"pkg:generic/python@{platform.python_version()}", tensorflow, *python)
    debs = [f"pkg:deb/debian/{quote(name)}@{quote(version)}" for name, version in debian.packages]
    return (*debs, tensorflow, *python)


def tensorflow_version() -> str:
    """Return the version of the installed tensorflow, by whichever name it was installed."""
    for name in ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tf-nightly"):
        for found in metadata.distributions(name=name):
            return found.version
    raise BaseUnavailableError("tensorflow is not installed", hint="pip install tensorflow")


def _part(name: str, entries: list[Entry]) -> Part:
    return Part(name=name, entries=tuple(with_parents(entries)))


def _shells() -> Iterator[Entry]:
    """Yield the shell of the entry point, and that of the health check."""
    yield Entry(path="bin/sh", source=Path("/bin/sh").resolve(), mode=0o755)
    if bash := shutil.which("bash"):
        yield Entry(path="bin/bash", source=Path(bash).resolve(), mode=0o755)


def _skeleton() -> Iterator[Entry]:
    yield folder("tmp", 0o1777)
    yield folder("models")
    for path, text in _ACCOUNTS.items():
        yield Entry(path=path, content=text.encode())


def _tensorflow() -> Iterator[Entry]:
    """Yield TensorFlow as a package without code of its own: its libraries, and its protobuf modules."""
    source = tensorflow_folder()
    for name in TENSORFLOW_LIBRARIES:
        if not (source / name).is_file():
            raise BaseUnavailableError(
                f"the tensorflow at '{source}' has no {name}",
                hint="install the wheel for Linux: pip install tensorflow",
            )
        yield Entry(path=f"{SITE}/tensorflow/{name}", source=source / name)
    for modules in _PROTOBUF_MODULES:
        for path in (source / modules).rglob("*_pb2.py"):
            yield Entry(path=f"{SITE}/tensorflow/{path.relative_to(source).as_posix()}", source=path)


def _server(source: Path) -> Iterator[Entry]:
    yield Entry(path="usr/bin/tensorflow_model_server", content=_LAUNCHER.encode(), mode=0o755)
    yield Entry(path="usr/bin/tf_serving_entrypoint.sh", content=_ENTRYPOINT.encode(), mode=0o755)
    yield from _own_version()
    package = source / "packager"
    kinds = ("*.py", "*.html", "*.css", "*.js")
    modules = [p for name in SERVER_PACKAGES for kind in kinds for p in (package / name).rglob(kind)]
    for path in (package / "__init__.py", *modules):
        yield Entry(path=f"{SITE}/{path.relative_to(source).as_posix()}", source=path)


def _own_version() -> Iterator[Entry]:
    """Yield what tells the server its version, as an installation would; a bare checkout has none."""
    for found in metadata.distributions(name="tfserving-packager"):
        text = f"Metadata-Version: 2.1\nName: tfserving-packager\nVersion: {found.version}\n"
        yield Entry(
            path=f"{SITE}/tfserving_packager-{found.version}.dist-info/METADATA", content=text.encode()
        )
        return
