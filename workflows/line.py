"""Who has a place under a concurrency key, and who is next: pure bookkeeping, first come first served.

`Line` takes asks, releases and looks at who is gone; `answers` then says what runs are to be told that they do not know
yet. It never waits and knows no Temporal: `workflows.slots` keeps it alive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from workflows.places import Claim, PlaceAnswer, PlaceAsk, PlaceRelease

NEAR = 10
"""So many at the head of the line are told who holds the places, each time that changes; to tell all of them would cost
the square of their number."""
LONGEST = 10_000
"""Runs in a line; all of them travel in one message when `SegueSlots` begins anew."""
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
        self._holding: dict[str, Claim] = {}
        self._waiting: dict[str, Claim] = {}
        for claim in claims:
            (self._holding if claim.holds else self._waiting)[claim.run] = claim

    @property
    def claims(self) -> list[Claim]:
        """Every claim: who has a place, the oldest first, then who waits, in turn."""
        return [*self._holding.values(), *self._waiting.values()]

    @property
    def holders(self) -> list[Claim]:
        """Who has a place, the oldest first."""
        return list(self._holding.values())

    @property
    def waiting(self) -> list[Claim]:
        """Who has none, in turn."""
        return list(self._waiting.values())

    @property
    def to_be_refused(self) -> int:
        """The number of the newest ask that is refused unless a holder turns out to be gone; 0: there is none."""
        return max((claim.number for claim in self._waiting.values() if claim.when_full == "skip"), default=0)

    # What happens.

    def ask(self, ask: PlaceAsk) -> None:
        """Let a run into the line; one that is known keeps what it has, and is told again."""
        self.limit = max(1, ask.limit)
        known = self._holding.get(ask.run) or self._waiting.get(ask.run)
        if known is not None:
            known.token, known.told = ask.token, ""
            self._fill()
            return
        self.asked += 1
        is_full = len(self._holding) + len(self._waiting) >= LONGEST
        claim = Claim(ask.run, ask.token, self.asked, ask.when_full, refused=is_full)
        self._waiting[ask.run] = claim
        self._fill()
        if not claim.holds and not claim.refused and claim.when_full == "cancel_oldest":
            self._displace_for(claim)

    def release(self, release: PlaceRelease) -> None:
        """Take a run out: it has ended, or is gone."""
        for claims in (self._holding, self._waiting):
            if release.run in claims and claims[release.run].token == release.token:
                del claims[release.run]
                self._fill()
                return

    def looked(self, gone: Sequence[PlaceRelease], upto: int) -> None:
        """Take out holders that turned out to be gone; who asked no later than `upto` and will not wait is refused.

        A run is refused only after such a look, or one that was terminated would keep all others out for ever.
        """
        for each in gone:
            self.release(each)
        for claim in self._waiting.values():
            claim.refused = claim.refused or (claim.when_full == "skip" and claim.number <= upto)

    def answers(self) -> list[tuple[str, PlaceAnswer]]:
        """Return what has not been told yet, by run; it counts as told from now on."""
        held_by, detail = self._held_by(), self._detail()
        near = f"waits for a place {self._where()}, held by {held_by}"
        far = f"waits for a place {self._where()}, behind {NEAR} or more runs"
        gists = {text: hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8] for text in (near, far)}
        found, over = [], []
        for ahead, claim in enumerate(self.claims, -len(self._holding)):
            final = self._final(claim, held_by, detail)
            if final is None and claim.when_full == "skip":
                continue  # to be decided, as soon as it is known whether the holders live
            text = near if ahead < NEAR else far
            said = gists[text] if final is None else final.state
            if claim.told != said:
                claim.told = said
                waits = {"concurrency": detail["concurrency"] if text is near else self._about()}
                found.append((claim.run, final or PlaceAnswer(claim.token, "waits", text, waits)))
            if not claim.holds and final is not None:
                over.append(claim.run)
        for run in over:
            del self._waiting[run]
        return found

    # How it is decided.

    def _fill(self) -> None:
        while len(self._holding) < self.limit:
            staying = (claim for claim in self._waiting.values() if claim.leaves_for is None and not claim.refused)
            following = next(staying, None)
            if following is None:
                return
            following.holds = True
            self._holding[following.run] = self._waiting.pop(following.run)

    def _displace_for(self, newcomer: Claim) -> None:
        """Have one run make way: the oldest holder that does not already, else the oldest in the line of its kind."""
        for claim in self.claims:
            way = claim.holds or claim.when_full == "cancel_oldest"
            if way and claim is not newcomer and claim.leaves_for is None:
                claim.leaves_for = newcomer.run
                return

    def _final(self, claim: Claim, held_by: str, detail: dict[str, Any]) -> PlaceAnswer | None:
        """Return the answer of a claim that is decided, None for one that waits."""
        if claim.leaves_for is not None:
            by = {"concurrency": {**detail["concurrency"], "by": claim.leaves_for}}
            return PlaceAnswer(claim.token, "displaced", f"run {claim.leaves_for} takes its place {self._where()}", by)
        if claim.holds:
            return PlaceAnswer(claim.token, "granted", f"has a place {self._where()}", detail)
        if claim.refused:
            free = "no place is free" if claim.when_full == "skip" else f"{LONGEST:,} runs wait"
            return PlaceAnswer(claim.token, "refused", f"{free} {self._where()}, held by {held_by}", detail)
        return None

    # In words.

    def _where(self) -> str:
        return f'under concurrency key "{self._key}" (limit {self.limit})'

    def _held_by(self) -> str:
        names = list(self._holding)
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return ", ".join(names[:NAMED]) + more

    def _detail(self) -> dict[str, Any]:
        return {"concurrency": {**self._about(), "holders": list(self._holding)[:NEAR]}}

    def _about(self) -> dict[str, Any]:
        return {"key": self._key, "limit": self.limit}
