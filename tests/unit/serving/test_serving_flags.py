"""Flags: the parser's rules, and the table's defaults."""

from __future__ import annotations

import pytest

from packager.serving.flags import FLAGS, Flag, FlagValueError, parse, usage

TABLE = (
    Flag("port", 8500, "a port"),
    Flag("interval", 60_000_000, "a time", bits=64),
    Flag("fraction", 0.0, "a share"),
    Flag("name", "default", "a name"),
    Flag("warm", True, "a switch"),
)


def test_defaults_hold_where_nothing_is_given() -> None:
    parsed = parse([], TABLE)
    assert dict(parsed.values) == {
        "port": 8500, "interval": 60_000_000, "fraction": 0.0, "name": "default", "warm": True,
    }  # fmt: skip
    assert parsed.unknown == ()


@pytest.mark.parametrize(
    ("argument", "name", "value"),
    [
        ("--port=1", "port", 1),
        ("--port=-1", "port", -1),
        ("--interval=9000000000", "interval", 9_000_000_000),
        ("--fraction=.5", "fraction", 0.5),
        ("--name=", "name", ""),
        ("--name=a=b", "name", "a=b"),
        ("--warm", "warm", True),
        ("--warm=FALSE", "warm", False),
        ("--warm=0", "warm", False),
    ],
)
def test_values(argument: str, name: str, value: object) -> None:
    assert parse([argument], TABLE).values[name] == value


@pytest.mark.parametrize(
    "argument", ["--port=x", "--port=", "--port=1.0", "--port=2147483648", "--fraction=much", "--warm=yes"]
)
def test_bad_values_are_refused(argument: str) -> None:
    with pytest.raises(FlagValueError, match="Couldn't interpret value"):
        parse([argument], TABLE)


def test_what_is_no_flag_is_left_over() -> None:
    arguments = ["x", "--port", "--colour=red", "-port=1", "--warm", "--", "--port=9"]
    parsed = parse(arguments, TABLE)
    assert parsed.unknown == ("x", "--port", "--colour=red", "-port=1", "--", "--port=9")
    assert parsed.values["port"] == 8500


def test_the_last_value_counts() -> None:
    assert parse(["--port=1", "--port=2"], TABLE).values["port"] == 2


def test_the_usage_shows_every_flag_with_its_default() -> None:
    text = usage("server", TABLE)
    assert text.splitlines()[:2] == ["usage: server", "Flags:"]
    assert '\t--name="default"' in text
    assert "\t--warm=true" in text
    assert len(text.splitlines()) == 2 + len(TABLE)


def test_the_defaults_are_those_of_tensorflow_serving() -> None:
    defaults = {flag.name: flag.default for flag in FLAGS}
    expected = {
        "port": 8500,
        "rest_api_port": 0,
        "rest_api_timeout_in_ms": 30_000,
        "rest_api_enable_cors_support": False,
        "model_name": "default",
        "model_base_path": "",
        "file_system_poll_wait_seconds": 1,
        "model_config_file_poll_wait_seconds": 0,
        "max_num_load_retries": 5,
        "load_retry_interval_micros": 60_000_000,
        "enable_model_warmup": True,
        "saved_model_tags": "serve",
        "enable_signature_method_name_check": False,
        "enable_grpc_healthcheck_service": False,
        "allow_version_labels_for_unavailable_models": False,
    }
    assert {name: defaults[name] for name in expected} == expected
