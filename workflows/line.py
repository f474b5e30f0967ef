"""Who has a place under a concurrency key, and who is next: pure bookkeeping, first come first served.

`Line` takes asks, releases and looks at who is gone; `answers` then says what runs are to be told that they do not know
yet. It never waits and knows no Temporal: `workflows.slots` keeps it alive.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from workflows.places import Claim, PlaceAnswer, PlaceAsk, PlaceRelease

NEAR = 10
"""So many at the head of the line are told who holds the places, each time that changes; to tell all of them would cost
the square of their number."""
NAMED = 3
"""Holders that a sentence names."""


class Line:
    """The places under one key and the runs that want one.

    Attributes:
        limit: Places; the newest ask decides it. When it sinks, nobody loses a place.
        asked: Number of the last ask that brought a new run.
    """

    def __init__(self, key: str, limit: int = 1, asked: int = 0, claims: Iterable[Claim] = ()) -> None:
        self.limit = limit
        self.asked = asked
        self._key = key
        self._claims = {claim.run: claim for claim in claims}

    @property
    def claims(self) -> list[Claim]:
        """Every claim, in the order of asking."""
        return list(self._claims.values())

    @property
    def holders(self) -> list[Claim]:
        """Who has a place, the oldest first."""
        return [claim for claim in self._claims.values() if claim.holds]

    @property
    def waiting(self) -> list[Claim]:
        """Who has none, in turn."""
        return [claim for claim in self._claims.values() if not claim.holds]

    @property
    def to_be_refused(self) -> int:
        """The number of the newest ask that is refused unless a holder turns out to be gone; 0: there is none."""
        return max((claim.number for claim in self.waiting if claim.when_full == "skip"), default=0)

    # What happens.

    def ask(self, ask: PlaceAsk) -> None:
        """Let a run into the line; one that is known keeps what it has, and is told again."""
        self.limit = max(1, ask.limit)
        known = self._claims.get(ask.run)
        if known is not None:
            known.token, known.told = ask.token, ""
            self._fill()
            return
        self.asked += 1
        claim = self._claims[ask.run] = Claim(ask.run, ask.token, self.asked, ask.when_full)
        self._fill()
        if not claim.holds and claim.when_full == "cancel_oldest":
            self._displace_for(claim)

    def release(self, release: PlaceRelease) -> None:
        """Take a run out: it has ended, or is gone."""
        claim = self._claims.get(release.run)
        if claim is not None and claim.token == release.token:
            del self._claims[release.run]
            self._fill()

    def looked(self, gone: Sequence[PlaceRelease], upto: int) -> None:
        """Take out holders that turned out to be gone; who asked no later than `upto` and will not wait is refused.

        A run is refused only after such a look, or one that was terminated would keep all others out for ever.
        """
        for each in gone:
            self.release(each)
        for claim in self.waiting:
            claim.refused = claim.when_full == "skip" and claim.number <= upto

    def answers(self) -> list[tuple[str, PlaceAnswer]]:
        """Return what has not been told yet, by run; it counts as told from now on."""
        found = []
        detail = self._detail()
        ahead = 0
        for claim in self.claims:
            answer = self._answer(claim, ahead, detail)
            ahead += not claim.holds
            if answer is not None and claim.told != (said := _gist(answer)):
                claim.told = said
                found.append((claim.run, answer))
            if claim.refused or (claim.leaves_for is not None and not claim.holds):
                del self._claims[claim.run]
        return found

    # How it is decided.

    def _fill(self) -> None:
        free = self.limit - len(self.holders)
        staying = [claim for claim in self.waiting if claim.leaves_for is None and not claim.refused]
        for claim in staying[: max(0, free)]:
            claim.holds = True

    def _displace_for(self, newcomer: Claim) -> None:
        """Have one run make way: the oldest holder that does not already, else the oldest in the line of its kind."""
        others = [claim for claim in self._claims.values() if claim is not newcomer and claim.leaves_for is None]
        holding = [claim for claim in others if claim.holds]
        waiting = [claim for claim in others if not claim.holds and claim.when_full == "cancel_oldest"]
        for oldest in [*holding, *waiting][:1]:
            oldest.leaves_for = newcomer.run

    def _answer(self, claim: Claim, ahead: int, detail: dict[str, Any]) -> PlaceAnswer | None:
        where = f'under concurrency key "{self._key}" (limit {self.limit})'
        if claim.leaves_for is not None:
            by = {"concurrency": {**detail["concurrency"], "by": claim.leaves_for}}
            return PlaceAnswer(claim.token, "displaced", f"run {claim.leaves_for} takes its place {where}", by)
        if claim.holds:
            return PlaceAnswer(claim.token, "granted", f"has a place {where}", detail)
        if claim.refused:
            return PlaceAnswer(claim.token, "refused", f"no place is free {where}, held by {self._held_by()}", detail)
        if claim.when_full == "skip":
            return None  # to be decided, as soon as it is known whether the holders live
        if ahead >= NEAR:
            far = {"concurrency": {"key": self._key, "limit": self.limit}}
            return PlaceAnswer(claim.token, "waits", f"waits for a place {where}, behind {NEAR} or more runs", far)
        return PlaceAnswer(claim.token, "waits", f"waits for a place {where}, held by {self._held_by()}", detail)

    def _held_by(self) -> str:
        names = [claim.run for claim in self.holders]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return ", ".join(names[:NAMED]) + more

    def _detail(self) -> dict[str, Any]:
        holders = [claim.run for claim in self.holders]
        return {"concurrency": {"key": self._key, "limit": self.limit, "holders": holders[:NEAR]}}


def _gist(answer: PlaceAnswer) -> str:
    """Return what makes an answer news: only who waits wants to hear of every change."""
    return f"waits {answer.reason}" if answer.state == "waits" else answer.state
