"""Claims of computations: one counts, whoever comes late, in a local directory and on a real S3 server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from store.cache import MAX_CLAIM_BYTES, Claim, Claims, Computation, Numbered
from store.objects import ObjectStore
from tests.store.test_objects import objects

__all__ = ["objects"]

WHAT = Computation("demo", "train", "0" * 64)
MINE = Claim("computing", "demo-1", "train[0]", "000.001-aaaaaaaa", "runs/demo-1/train[0]/000.001-aaaaaaaa")


def test_the_last_claim_counts(objects: ObjectStore) -> None:
    claims = Claims(objects)
    assert claims.last(WHAT) == Numbered(0, None)
    assert claims.make(WHAT, 1, MINE)
    assert claims.last(WHAT) == Numbered(1, MINE)
    done = Claim("done", "demo-2", value={"n": 1}, output={"$segue": "json", "key": "x"}, at=5.0)
    assert claims.make(WHAT, 2, done)
    claims.write(WHAT, 1, Claim("done", "demo-1", value="late"))
    assert claims.last(WHAT) == Numbered(2, done), "what an earlier holder still writes is not read"
    claims.forget_before(WHAT, 2)
    assert claims.last(WHAT) == Numbered(2, done)
    assert [info.key for info in objects.list()] == [WHAT.key(2)]


def test_one_of_many_makes_a_claim(objects: ObjectStore) -> None:
    claims = Claims(objects)
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda n: claims.make(WHAT, 1, Claim("computing", f"demo-{n}")), range(24)))
    assert made.count(True) == 1
    last = claims.last(WHAT).claim
    assert last is not None
    assert last.run == f"demo-{made.index(True)}"


def test_a_number_that_is_free_again_is_no_claim(objects: ObjectStore) -> None:
    claims = Claims(objects)
    claims.make(WHAT, 2, MINE)
    assert not claims.make(WHAT, 1, Claim("computing", "slow"))
    assert claims.last(WHAT) == Numbered(2, MINE)


@pytest.mark.parametrize("text", [b"", b"[]", b'{"state": "odd"}', b'{"state": "done", "run": 1}', b"{", b"\xff"])
def test_an_object_that_is_no_claim_counts_as_none(objects: ObjectStore, text: bytes) -> None:
    objects.put(WHAT.key(3), text)
    objects.put(WHAT.prefix + "other.json", text)
    claims = Claims(objects)
    assert claims.last(WHAT) == Numbered(3, None)
    objects.put(WHAT.key(3), b'"' + b"x" * MAX_CLAIM_BYTES + b'"')
    assert claims.last(WHAT) == Numbered(3, None)
    assert claims.make(WHAT, 4, MINE)
    assert claims.last(WHAT) == Numbered(4, MINE)


def test_all_are_listed_and_cleared_by_workflow_and_step(objects: ObjectStore) -> None:
    claims = Claims(objects)
    names = [("a", "x"), ("a", "y"), ("a-b", "x"), ("b", "x")]
    places = [Computation(*name, digest * 64) for name in names for digest in ("0", "1")]
    for what in places:
        claims.make(what, 1, Claim("failed", "r"))
        claims.make(what, 2, Claim("computing" if what == places[0] else "done", "r"))
    assert {what for what, _ in claims.every()} == {*places}
    assert {last.number for _, last in claims.every()} == {2}
    assert [what for what, _ in claims.every("a")] == places[:4]
    assert [what for what, _ in claims.every("a", "y")] == places[2:4]
    assert claims.clear("a", "x") == 1, "the other one is being computed"
    assert [last.claim and last.claim.state for _, last in claims.every("a")] == ["cleared", "cleared", "done", "done"]
    assert claims.clear("a") == 2
    assert claims.clear("a") == 0
    # Who was computing ends, and what it writes is not read.
    claims.write(places[0], 2, Claim("done", "r"))
    assert claims.last(places[0]) == Numbered(3, Claim("cleared"))
    assert len([*objects.list("cache/a/")]) == 5
    assert [last.claim and last.claim.state for _, last in claims.every("a-b")] == ["done", "done"]
