"""Model folders as targets: which versions they hold, and how to serve one version alone."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from packager.errors import ImageNotFoundError
from packager.values import ServableVersion

_VERSION = re.compile(r"[0-9]+")


def versions_in(base_path: Path) -> dict[int, ServableVersion]:
    """Return the versions below ``base_path`` by number; raise ImageNotFoundError where there are none.

    As for TensorFlow Serving, a version is a folder whose name is a whole number, ``00001`` as well as ``1``.
    """
    if not base_path.is_dir():
        raise ImageNotFoundError(
            f"no model folder {str(base_path)!r}", hint="make one: packager convert FILE --name NAME"
        )
    found = {int(p.name): p for p in sorted(base_path.iterdir()) if _VERSION.fullmatch(p.name) and p.is_dir()}
    if not found:
        raise ImageNotFoundError(f"no versions in {str(base_path)!r}", hint=_better_folder(base_path))
    name = base_path.resolve().name
    return {n: ServableVersion(name=name, version=n, path=path) for n, path in found.items()}


def choose(versions: Collection[int], wanted: int | None, *, target: str) -> int:
    """Return the wanted version, the highest where none is named."""
    if wanted is None:
        return max(versions)
    if wanted not in versions:
        raise ImageNotFoundError(
            f"no version {wanted} in {target!r}",
            hint=f"it holds {', '.join(map(str, sorted(versions)))}: --version {max(versions)}",
        )
    return wanted


@contextmanager
def serving_only(servable: ServableVersion, *, highest: bool) -> Iterator[Path]:
    """Give a base path from which a server serves ``servable``.

    A server picks the highest version by itself; another one is alone in a folder of links.
    """
    if highest:
        yield servable.path.parent
        return
    with tempfile.TemporaryDirectory(prefix="packager-smoke-") as folder:
        base_path = Path(folder) / servable.name
        base_path.mkdir()
        (base_path / str(servable.version)).symlink_to(servable.path.resolve(), target_is_directory=True)
        yield base_path


def _better_folder(base_path: Path) -> str:
    if (base_path / "saved_model.pb").is_file():
        return f"that is a version folder, name the model's folder: packager smoke {base_path.parent}"
    models = sorted(p.parent.parent for p in base_path.glob("*/*/saved_model.pb"))
    if models:
        return f"name a model in it: packager smoke {models[0]}"
    return "make one: packager convert FILE --name NAME"
