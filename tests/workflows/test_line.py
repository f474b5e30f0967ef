"""The places under a concurrency key: who has one, who waits, who is told what; then under random sequences."""

from __future__ import annotations

import json
import random

import pytest

from workflows.line import LONGEST, NEAR, Line
from workflows.places import Claim, PlaceAnswer, PlaceAsk, PlaceRelease, WhenFull

KEY = "train-wine"


def ask(run: str, when_full: WhenFull = "queue", limit: int = 1, token: str = "") -> PlaceAsk:
    return PlaceAsk("train", KEY, "segue-slots-train-0", run, token or f"{run}'s", limit, when_full)


def release(run: str, token: str = "") -> PlaceRelease:
    return PlaceRelease(run, token or f"{run}'s")


def asked(*asks: PlaceAsk) -> Line:
    line = Line(KEY)
    for each in asks:
        line.ask(each)
    return line


def told(line: Line) -> dict[str, str]:
    return {run: answer.state for run, answer in line.answers()}


def reasons(line: Line) -> dict[str, str]:
    return {run: answer.reason for run, answer in line.answers()}


def holders(line: Line) -> list[str]:
    return [claim.run for claim in line.holders]


def test_the_first_gets_the_place_and_the_next_waits_behind_it() -> None:
    line = asked(ask("a"), ask("b"))
    assert reasons(line) == {
        "a": 'has a place under concurrency key "train-wine" (limit 1)',
        "b": 'waits for a place under concurrency key "train-wine" (limit 1), held by a',
    }
    assert line.answers() == []


def test_what_is_said_is_there_as_data_too() -> None:
    (_, answer), *_ = asked(ask("a"), ask("b")).answers()
    assert answer == PlaceAnswer("a's", "granted", answer.reason, {
        "concurrency": {"key": KEY, "limit": 1, "holders": ["a"]}
    })  # fmt: skip


def test_places_go_to_those_who_asked_first() -> None:
    line = asked(*(ask(run, limit=2) for run in "abcd"))
    line.answers()
    line.release(release("a"))
    assert reasons(line) == {
        "c": 'has a place under concurrency key "train-wine" (limit 2)',
        "d": 'waits for a place under concurrency key "train-wine" (limit 2), held by b, c',
    }
    line.release(release("c"))
    line.release(release("b"))
    assert told(line) == {"d": "granted"}


def test_a_long_line_names_few_holders_and_says_little_to_those_far_behind() -> None:
    line = asked(*(ask(f"h{n}", limit=5) for n in range(5)), *(ask(f"w{n}", limit=5) for n in range(NEAR + 1)))
    said = reasons(line)
    assert said["w0"].endswith("held by h0, h1, h2 and 2 more")
    assert said[f"w{NEAR - 1}"] == said["w0"]
    assert said[f"w{NEAR}"] == f'waits for a place under concurrency key "{KEY}" (limit 5), behind {NEAR} or more runs'
    line.release(release("h0"))
    assert reasons(line)[f"w{NEAR}"].endswith("held by h1, h2, h3 and 2 more")


def test_who_gives_up_waiting_frees_nothing_and_blocks_nobody() -> None:
    line = asked(ask("a"), ask("b"), ask("c"))
    line.answers()
    line.release(release("b"))
    assert told(line) == {}
    line.release(release("a"))
    assert told(line) == {"c": "granted"}


def test_a_run_that_asks_again_keeps_what_it_has_and_is_told_again() -> None:
    line = asked(ask("a"), ask("b"), ask("c"))
    line.answers()
    line.ask(ask("a"))
    line.ask(ask("b", token="after a reset"))
    assert [(run, answer.token, answer.state) for run, answer in line.answers()] == [
        ("a", "a's", "granted"),
        ("b", "after a reset", "waits"),
    ]
    assert holders(line) == ["a"]


def test_a_run_that_was_reset_takes_no_second_place_and_its_past_cannot_give_its_place_away() -> None:
    line = asked(ask("a", limit=2), ask("a", limit=2, token="again"), ask("b", limit=2), ask("c", limit=2))
    assert holders(line) == ["a", "b"]
    line.release(release("a"))
    assert holders(line) == ["a", "b"]
    line.looked([release("a")], line.asked)
    assert holders(line) == ["a", "b"]
    line.release(release("a", "again"))
    assert holders(line) == ["b", "c"]


def test_who_will_not_wait_is_refused_once_it_is_known_that_the_holder_lives() -> None:
    line = asked(ask("a"), ask("b", "skip"))
    assert told(line) == {"a": "granted"}
    assert line.to_be_refused == 2
    line.looked([], upto=1)
    assert told(line) == {}
    line.looked([], upto=2)
    assert reasons(line) == {"b": 'no place is free under concurrency key "train-wine" (limit 1), held by a'}
    assert (line.to_be_refused, [claim.run for claim in line.claims]) == (0, ["a"])


def test_who_will_not_wait_gets_the_place_of_a_holder_that_is_gone() -> None:
    line = asked(ask("a"), ask("b", "skip"), ask("c", "skip"))
    line.looked([release("a")], upto=3)
    assert told(line) == {"b": "granted", "c": "refused"}


def test_the_oldest_makes_way_for_a_newcomer_and_keeps_its_place_until_it_has_ended() -> None:
    line = asked(*(ask(run, "cancel_oldest", limit=2) for run in "abc"))
    assert reasons(line) == {
        "a": 'run c takes its place under concurrency key "train-wine" (limit 2)',
        "b": 'has a place under concurrency key "train-wine" (limit 2)',
        "c": 'waits for a place under concurrency key "train-wine" (limit 2), held by a, b',
    }
    line.release(release("a"))
    assert told(line) == {"c": "granted"}
    assert holders(line) == ["b", "c"]


def test_each_newcomer_has_one_make_way_and_the_newest_wins() -> None:
    line = asked(ask("a", "cancel_oldest"), ask("b", "cancel_oldest"))
    assert told(line) == {"a": "displaced", "b": "waits"}
    line.ask(ask("c", "cancel_oldest"))
    assert told(line) == {"b": "displaced", "c": "waits"}
    line.release(release("a"))
    assert told(line) == {"c": "granted"}
    assert [claim.run for claim in line.claims] == ["c"]


def test_who_waits_its_turn_is_not_pushed_out_by_a_newer_version_that_cancels_the_oldest() -> None:
    line = asked(ask("a"), ask("b"), ask("c", "cancel_oldest"), ask("d", "cancel_oldest"))
    assert told(line) == {"a": "displaced", "b": "waits", "c": "displaced", "d": "waits"}
    line.release(release("a"))
    assert holders(line) == ["b"]


def test_the_newest_limit_holds_and_takes_nobodys_place_away() -> None:
    line = asked(ask("a", limit=1), ask("b", limit=1), ask("c", limit=3))
    assert told(line) == dict.fromkeys("abc", "granted")
    line.ask(ask("d", limit=1))
    for gone in "ab":
        line.release(release(gone))
        assert told(line) == {"d": "waits"}
    assert holders(line) == ["c"]
    line.release(release("c"))
    assert told(line) == {"d": "granted"}


class Storm:
    """Runs that come, end, vanish, ask twice and are reset, by chance; they know what they were told and no more."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.line = Line(KEY)
        self.limit = self.highest = 1
        self.tokens: dict[str, str] = {}
        self.state: dict[str, str] = {}
        self.turns: list[str] = []
        self.vanished: set[str] = set()
        self.held: set[str] = set()

    def step(self) -> None:
        acts = [self.come, self.come, self.end, self.end, self.vanish, self.look, self.reset, self.repeat, self.stale]
        self.chance.choice(acts)()
        if self.chance.random() < 0.7:
            self.deliver()
        if self.chance.random() < 0.1:
            self.begin_anew()
        self.check()

    def some(self, *states: str) -> str | None:
        found = [run for run, state in self.state.items() if state in states and run not in self.vanished]
        return self.chance.choice(found) if found else None

    def come(self) -> None:
        run = f"r{len(self.tokens)}"
        if self.chance.random() < 0.1:
            self.limit = self.chance.randint(1, 3)
            self.highest = max(self.highest, self.limit)
        self.tokens[run], self.state[run] = f"{run}/0", "asks"
        way: WhenFull = self.chance.choice(["queue", "queue", "queue", "skip", "cancel_oldest"])
        self.line.ask(ask(run, way, self.limit, self.tokens[run]))

    def end(self) -> None:
        run = self.some("granted", "displaced", "waits")
        if run is not None:
            del self.state[run]
            self.line.release(release(run, self.tokens[run]))

    def vanish(self) -> None:
        run = self.some("granted", "waits", "displaced") if self.chance.random() < 0.3 else None
        if run is not None:
            self.vanished.add(run)

    def look(self) -> None:
        gone = [release(c.run, c.token) for c in self.line.holders if c.run in self.vanished]
        self.line.looked(gone, self.line.asked)

    def reset(self) -> None:
        run = self.some("granted", "waits")
        if run is not None:
            self.tokens[run] += "'"
            self.line.ask(ask(run, "queue", self.limit, self.tokens[run]))

    def repeat(self) -> None:
        run = self.some("granted", "waits", "asks")
        if run is not None:
            self.line.ask(ask(run, "queue", self.limit, self.tokens[run]))

    def stale(self) -> None:
        run = self.some("granted")
        if run is not None:
            self.line.release(release(run, self.tokens[run] + " of another time"))

    def deliver(self) -> None:
        for run, answer in self.line.answers():
            if run in self.vanished or run not in self.state:
                self.line.release(release(run, answer.token))
            elif answer.token == self.tokens[run]:
                self.take(run, answer)

    def take(self, run: str, answer: PlaceAnswer) -> None:
        if answer.state == "granted" and self.state[run] != "granted":
            self.turns.append(run)
        if answer.state == "refused" or (answer.state == "displaced" and self.state[run] != "granted"):
            del self.state[run]
            self.line.release(release(run, self.tokens[run]))
        else:
            self.state[run] = answer.state

    def begin_anew(self) -> None:
        claims = [Claim.unpack(claim.pack()) for claim in self.line.claims]
        self.line = Line(KEY, self.line.limit, self.line.asked, claims)

    def check(self) -> None:
        inside = [run for run, state in self.state.items() if state in ("granted", "displaced")]
        held = {claim.run for claim in self.line.holders}
        assert set(inside) <= held | self.vanished, "a run goes on whose place was given away"
        new, self.held = held - self.held, held
        assert not new or len(held) <= self.highest, "more places are taken than there are"
        self.highest = self.limit
        free = self.line.limit - len(held)
        staying = [claim for claim in self.line.waiting if claim.leaves_for is None and not claim.refused]
        assert free <= 0 or not staying, "a place is free and somebody waits for it"
        for claims in (self.line.holders, self.line.waiting):
            assert [claim.number for claim in claims] == sorted(claim.number for claim in claims)

    def settle(self) -> None:
        """Let everything that goes on end, as it does in life; then nothing may be left."""
        for _ in range(10_000):
            self.deliver()
            self.look()
            self.deliver()
            self.end()
            self.check()
            if not self.line.claims and not self.line.answers():
                return
        raise AssertionError(f"left over: {self.line.claims}")


@pytest.mark.parametrize("seed", range(300))
def test_whatever_happens_no_limit_is_exceeded_nobody_starves_and_no_place_leaks(seed: int) -> None:
    storm = Storm(random.Random(seed))
    for _ in range(120):
        storm.step()
    storm.settle()
    assert [run for run in storm.state if run not in storm.vanished] == []


def granted_in_order(seed: int) -> list[int]:
    """Return the turns of runs that all wait, when holders end in a random order."""
    chance = random.Random(seed)
    line, turns, names = Line(KEY), list[int](), [f"{number}" for number in range(40)]
    while names or line.claims:
        if names and chance.random() < 0.6:
            line.ask(ask(names.pop(0), limit=3))
        elif line.holders:
            line.release(release(chance.choice(line.holders).run))
        turns += [int(run) for run, answer in line.answers() if answer.state == "granted"]
    return turns


@pytest.mark.parametrize("seed", range(20))
def test_turns_are_those_of_asking(seed: int) -> None:
    assert granted_in_order(seed) == list(range(40))


def test_a_line_has_an_end_and_fits_into_one_message() -> None:
    names = [f"{'w' * 63}-{number:012}" for number in range(LONGEST)]
    line = asked(*(PlaceAsk("train", KEY, "s", name, f"{number:012x}") for number, name in enumerate(names)))
    line.answers()
    assert len(json.dumps([claim.pack() for claim in line.claims])) < 1_800_000
    line.ask(ask("late"))
    said = 'under concurrency key "train-wine" (limit 1), held by'
    assert reasons(line) == {"late": f"10,000 runs wait {said} {names[0]}"}
    assert len(line.claims) == LONGEST
    line.ask(ask(names[5]))
    assert told(line) == {names[5]: "waits"}, "who is in it may ask again"


def test_a_line_that_begins_anew_goes_on_as_it_was() -> None:
    line = asked(ask("a"), ask("b"), ask("c", "skip"))
    line.answers()
    kept = json.loads(json.dumps([claim.pack() for claim in line.claims]))
    again = Line(KEY, line.limit, line.asked, map(Claim.unpack, kept))
    assert again.answers() == []
    again.release(release("a"))
    assert told(again) == {"b": "granted"}
