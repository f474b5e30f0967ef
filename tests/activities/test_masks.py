"""Hiding secrets: whole, in pieces, and in the forms that they usually take."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.masks import MASK, Masks

CANARY = "c4nary/+ =&?'\"\\é\N{SNOWMAN}"
FORMS = {
    "plain": CANARY,
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "base64 for addresses": base64.urlsafe_b64encode(CANARY.encode()).decode(),
    "base64 without its end": base64.b64encode(CANARY.encode()).decode().rstrip("="),
    "percent-encoded": quote(CANARY, safe=""),
    "percent-encoded as a path": quote(CANARY),
    "percent-encoded as an address": str(httpx.URL(f"http://h/?{CANARY}")).partition("?")[2],
    "percent-encoded as a form": quote_plus(CANARY),
    "json": json.dumps(CANARY)[1:-1],
    "json in unicode": json.dumps(CANARY, ensure_ascii=False)[1:-1],
    "repr": repr(CANARY)[1:-1],
    "repr of bytes": repr(CANARY.encode())[2:-1],
    "hexadecimal": CANARY.encode().hex(),
    "shown by a shell": CANARY.replace("'", "'\\''"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_hidden_in_each_of_its_forms(form: str) -> None:
    assert Masks({"TOKEN": CANARY}).text(f"before {FORMS[form]} behind") == "before *** behind"


@pytest.mark.parametrize("user", ["", "u", "us", "user"])
def test_a_secret_inside_what_is_encoded_as_base64_is_hidden(user: str) -> None:
    password = "correct horse battery"
    header = base64.b64encode(f"{user}:{password}:x".encode()).decode()
    shown = Masks({"P": password}).text(f"Basic {header}")
    assert "***" in shown
    left = shown.removeprefix("Basic ").split("***")
    # What depends on its neighbours is left: a character or two at either end.
    assert base64.b64encode(password.encode()).decode()[4:-4] not in shown
    assert all(len(part) <= 8 for part in left)


def test_lines_of_a_secret_are_hidden_and_its_base64_in_lines() -> None:
    key = "-----BEGIN KEY-----\n" + "\n".join(f"line {number} of the key" * 3 for number in range(5)) + "\n"
    masks = Masks({"KEY": key})
    assert masks.text("> line 3 of the keyline 3 of the keyline 3 of the key") == "> ***"
    assert masks.data(key.encode()) == MASK
    assert masks.data(base64.encodebytes(key.encode())).replace(b"\n", b"").strip(b"*") == b""


def test_what_is_shorter_than_four_characters_is_left() -> None:
    assert Masks({"PIN": "123"}).text("123 of 1234") == "123 of 1234"
    assert not Masks({"PIN": "123"})


def test_secrets_that_overlap_or_hold_each_other_leave_nothing_behind() -> None:
    masks = Masks({"A": "alpha-beta", "B": "beta-gamma", "C": "alpha"})
    assert masks.text("alpha-beta-gamma alpha alphabet") == "*** *** ***bet"
    stream = masks.stream()
    shown = b"".join(stream.feed(bytes([each])) for each in b"alpha-beta-gamma!") + stream.rest()
    assert shown == b"***!"


def test_only_what_may_become_a_secret_is_held_back() -> None:
    stream = Masks({"TOKEN": "s3cret-value"}).stream()
    assert stream.feed(b"hello s3cr") == b"hello "
    assert stream.feed(b"eam\nand s3cret-val") == b"s3cream\nand "
    assert stream.feed(b"ue\n") == b"***\n"
    assert stream.feed(b"s3c") == b""
    assert stream.rest() == b"s3c"


def test_what_is_left_of_a_secret_that_was_cut_short_is_hidden() -> None:
    masks = Masks({"TOKEN": "abcdefgh" * 20})
    assert masks.text(f"'{('abcdefgh' * 20)[:77]}... is not an integer") == "'***... is not an integer"
    assert masks.text("loading abc... done") == "loading abc... done"


def test_json_is_hidden_in_texts_and_keys() -> None:
    masks = Masks({"TOKEN": "canary"})
    assert masks.value({"canary": ["a canary", 1, None], "b": {"c": True}}) == {
        "***": ["a ***", 1, None],
        "b": {"c": True},
    }
    assert masks.names_in(b'{"a": "Y2FuYXJ5"}') == ["TOKEN"]
    assert masks.names_in(b"nothing") == []


_ALPHABET = st.text("ab", min_size=4, max_size=9)


@settings(deadline=None)
@given(st.lists(_ALPHABET, min_size=1, max_size=3), st.lists(st.text("ab-", max_size=12), max_size=8))
def test_wherever_bytes_are_cut_the_same_is_hidden(secrets: list[str], pieces: list[str]) -> None:
    masks = Masks({str(number): secret for number, secret in enumerate(secrets)})
    stream = masks.stream()
    shown = b"".join(stream.feed(piece.encode()) for piece in pieces) + stream.rest()
    assert shown == masks.data("".join(pieces).encode())
    assert not any(secret.encode() in shown for secret in secrets)


@settings(deadline=None)
@given(st.text("ab", min_size=4, max_size=40), st.integers(1, 7))
def test_no_more_is_held_back_than_the_longest_secret(secret: str, size: int) -> None:
    masks = Masks({"S": secret})
    stream = masks.stream()
    longest = max(len(pattern) for pattern in stream._patterns)
    given_out = 0
    for _ in range(60):
        given_out += len(stream.feed(b"a" * size))
        assert len(stream._held) < longest
    assert given_out <= 60 * size * len(MASK)
