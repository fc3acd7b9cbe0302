"""``Dockerfile.serving`` and what is built without it say the same; and an installed packager has it."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from packager.image.configuration import checked_content
from packager.image.context import build_context, dockerfile
from packager.image.settings import ENTRYPOINT, IMAGE_FLAGS, MODEL_BASE_PATH, PORTS, USER, serving_settings
from packager.values import SERVER_DEFAULTS, ServableVersion

REPOSITORY = Path(__file__).resolve().parents[3]


def instructions() -> dict[str, str]:
    lines = dockerfile().decode().splitlines()
    return dict(re.findall(r"^([A-Z]+) (.+)$", "\n".join(lines), re.MULTILINE))


def servable(root: Path, version: int, name: str = "digits") -> ServableVersion:
    path = root / name / str(version)
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(b"graph")
    (path / "variables" / "variables.index").write_bytes(b"index")
    return ServableVersion(name=name, version=version, path=path)


def test_the_dockerfile_says_what_the_settings_say() -> None:
    said = instructions()
    assert tuple(json.loads(said["ENTRYPOINT"])) == ENTRYPOINT
    assert said["USER"] == USER
    assert tuple(map(int, said["EXPOSE"].split())) == PORTS
    assert said["ENV"] == (
        f"MODEL_NAME=${{SERVING_MODEL}} MODEL_BASE_PATH={MODEL_BASE_PATH} {IMAGE_FLAGS}=${{SERVING_FLAGS}}"
    )
    assert said["COPY"] == "models/ ${MODEL_BASE_PATH}/"
    assert said["FROM"] == "${BASE}"
    settings = serving_settings("digits", (), {})
    health = settings["Healthcheck"]
    options, _, command = said["HEALTHCHECK"].partition(" CMD ")
    assert ["CMD", *json.loads(command)] == health["Test"]
    seconds = {name: f"{health[name] // 10**9}s" for name in ("Interval", "Timeout", "StartPeriod")}
    told = dict(option.removeprefix("--").split("=") for option in options.split())
    assert told == {
        "interval": seconds["Interval"],
        "timeout": seconds["Timeout"],
        "start-period": seconds["StartPeriod"],
        "retries": str(health["Retries"]),
    }
    assert said["STOPSIGNAL"] == settings["StopSignal"]
    known = {"ARG", "FROM", "ENV", "COPY", "EXPOSE", "USER", "HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT"}
    assert set(said) == known


def test_the_wheel_has_the_dockerfile(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    told = subprocess.check_output(
        [
            *(sys.executable, "-c"),
            "import packager.image.context as c; print(c.__file__); print(c.dockerfile().decode(), end='')",
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        text=True,
    )
    place, _, content = told.partition("\n")
    assert place.startswith(str(tmp_path))
    assert content == (REPOSITORY / "Dockerfile.serving").read_text()


def test_the_build_context_holds_the_versions(tmp_path: Path) -> None:
    content = checked_content([servable(tmp_path, 10), servable(tmp_path, 2)], SERVER_DEFAULTS)
    assert [v.version for v in content.servables] == [2, 10]
    with tarfile.open(fileobj=io.BytesIO(b"".join(build_context(content)))) as archive:
        assert archive.getnames()[:3] == ["Dockerfile", "models", "models/digits"]
        assert "models/digits/10/variables/variables.index" in archive.getnames()
        graph = archive.extractfile("models/digits/2/saved_model.pb")
        assert graph is not None
        assert graph.read() == b"graph"
