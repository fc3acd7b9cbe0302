"""Image references: the grammar, what it refuses, and that text and value are two forms of the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packager.errors import UsageError
from packager.values import ImageReference, to_json

DIGEST = "sha256:" + "0123456789abcdef" * 4

lower = "abcdefghijklmnopqrstuvwxyz0123456789"
words = st.text(lower, min_size=1, max_size=8)
separators = st.sampled_from([".", "_", "__", "-", "--", "---"])


@st.composite
def components(draw: st.DrawFn) -> str:
    text = draw(words)
    for _ in range(draw(st.integers(0, 2))):
        text += draw(separators) + draw(words)
    return text


host_labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
hosts = st.one_of(
    st.just("localhost"),
    st.just("[::1]"),
    st.tuples(host_labels, host_labels).map(".".join),
)
domains = st.one_of(
    hosts,
    st.tuples(hosts, st.integers(1, 65535)).map(lambda pair: f"{pair[0]}:{pair[1]}"),
    st.tuples(host_labels, st.integers(1, 65535)).map(lambda pair: f"{pair[0]}:{pair[1]}"),
)
paths = st.lists(components(), min_size=1, max_size=3).map("/".join)
paths_alone = paths.filter(lambda path: "/" not in path or "." not in path.partition("/")[0])
repositories = st.tuples(st.none(), paths_alone) | st.tuples(domains, paths)
tags = st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
digests = st.none() | st.text("0123456789abcdef", min_size=64, max_size=64).map(
    lambda hexes: f"sha256:{hexes}"
)


@given(repository=repositories, tag=tags, digest=digests)
def test_text_and_value_are_two_forms_of_the_same(
    repository: tuple[str | None, str], tag: str | None, digest: str | None
) -> None:
    domain, path = repository
    reference = ImageReference(domain=domain, path=path, tag=tag, digest=digest)
    assert ImageReference.parse(str(reference)) == reference


def parsed(text: str) -> ImageReference | UsageError:
    try:
        return ImageReference.parse(text)
    except UsageError as error:
        return error


@given(st.text(max_size=60) | st.text("aA0.:/@_-[]", max_size=30))
def test_any_text_is_a_reference_or_a_usage_error_that_quotes_it(text: str) -> None:
    result = parsed(text)
    if isinstance(result, UsageError):
        assert repr(text) in result.message
        assert result.hint
    else:
        assert str(result) == text


@pytest.mark.parametrize(
    ("text", "domain", "path", "tag", "digest"),
    [
        ("digits", None, "digits", None, None),
        ("digits:1", None, "digits", "1", None),
        ("team/digits", None, "team/digits", None, None),
        ("localhost/digits", "localhost", "digits", None, None),
        ("localhost:5000/digits:v1.2_3-x", "localhost:5000", "digits", "v1.2_3-x", None),
        ("127.0.0.1:5000/a/b/c:1", "127.0.0.1:5000", "a/b/c", "1", None),
        ("[::1]:5000/digits", "[::1]:5000", "digits", None, None),
        ("Registry/digits", "Registry", "digits", None, None),
        ("docker.io/library/digits", "docker.io", "library/digits", None, None),
        (f"digits@{DIGEST}", None, "digits", None, DIGEST),
        (f"r.example.com/digits:1@{DIGEST}", "r.example.com", "digits", "1", DIGEST),
        ("tensorflow/serving:2.20.0", None, "tensorflow/serving", "2.20.0", None),
        ("a__b/c--d.e_f", None, "a__b/c--d.e_f", None, None),
    ],
)
def test_the_parts(text: str, domain: str | None, path: str, tag: str | None, digest: str | None) -> None:
    reference = ImageReference.parse(text)
    assert (reference.domain, reference.path, reference.tag, reference.digest) == (domain, path, tag, digest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Digits",
        "team/Digits",
        "digits:",
        "digits:a b",
        "digits:-1",
        "digits:.1",
        "digits:" + "x" * 129,
        "digits@sha256:abc",
        f"digits@{DIGEST.upper()}",
        "digits@md5:0123",
        "/digits",
        "digits/",
        "a//b",
        "_digits",
        "digits_",
        "a___b",
        "a..b/c_",
        "../digits",
        "digits\n",
        "-r.example.com/digits",
        "r.example.com:/digits",
        "r.example.com:port/digits",
        "https://r.example.com/digits",
        "r.example.com/" + "a" * 256,
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        ImageReference.parse(text)
    assert caught.value.exit_code == 2


def test_what_can_be_made_of_one() -> None:
    reference = ImageReference.parse("r.example.com:5000/team/digits:1")
    assert reference.repository == "r.example.com:5000/team/digits"
    assert reference.tag_or_latest == "1"
    assert ImageReference.parse("digits").tag_or_latest == "latest"
    assert str(reference.with_digest(DIGEST)) == f"r.example.com:5000/team/digits@{DIGEST}"
    assert to_json({"image": reference}) == {"image": "r.example.com:5000/team/digits:1"}
