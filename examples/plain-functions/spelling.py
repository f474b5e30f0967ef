"""A language model of letters, trained at several sizes; the best one is kept. Plain functions, nothing installed.

python spelling.py              an ordinary call: no server, and the debugger works
segue run spelling.py           the same workflow as a durable run
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from segue import StepFailed, step, workflow

TEXT = (
    "a workflow is a graph of steps, and a step is the smallest part that succeeds, fails or is tried again; "
    "what a step gives is an output, and who needs the output waits for the step; what nobody needs is a leaf"
)
LENGTH = 24
"""Letters of a sample."""


@dataclass
class Corpus:
    """What is learned from, and what is tried on."""

    train: str
    held_out: str
    letters: int


@dataclass
class Model:
    """How often a letter follows some letters; `loss` is in bits for each letter."""

    order: int
    counts: dict[str, dict[str, int]]
    loss: float


@step
def read(text: str) -> Corpus:
    """Split a text into what is learned from and what is tried on."""
    cut = len(text) * 4 // 5
    return Corpus(text[:cut], text[cut:], len(set(text)))


@step(retries=2, limit=4)
def train(corpus: Corpus, order: int) -> Model:
    """Count which letter follows which, and measure the surprise on the rest."""
    if order >= len(corpus.held_out):
        raise ValueError(f"the text is too short for {order} letters of context")
    counts: dict[str, Counter[str]] = {}
    for place in range(order, len(corpus.train)):
        counts.setdefault(corpus.train[place - order : place], Counter())[corpus.train[place]] += 1
    surprise = 0.0
    for place in range(order, len(corpus.held_out)):
        seen = counts.get(corpus.held_out[place - order : place], Counter())
        share = (seen[corpus.held_out[place]] + 0.1) / (seen.total() + 0.1 * corpus.letters)
        surprise -= math.log2(share)
    return Model(order, {key: dict(seen) for key, seen in counts.items()}, surprise / (len(corpus.held_out) - order))


@step
def best(models: list[Model]) -> Model:
    """Return the model with the smallest loss."""
    return min(models, key=lambda model: model.loss)


@step
def complete(model: Model, start: str) -> str:
    """Go on with the likeliest letter."""
    text = start
    while len(text) < LENGTH:
        seen = model.counts.get(text[-model.order :] if model.order else "")
        if not seen:
            break
        text += max(sorted(seen), key=lambda letter: seen[letter])
    return text


@step
def report(line: str) -> None:
    """Tell people."""
    print(line)


@workflow(labels={"team": "docs"}, include=["*.py"])
def spelling(text: str = TEXT, orders: list[int] = [1, 2, 3], wanted: float = 4.5):
    """Train models of letters and keep the best."""
    corpus = read(text)
    if corpus.letters < 5:
        report(f"{corpus.letters} letters are too few")
        return None
    try:
        models = [train(corpus, order) for order in orders]
    except StepFailed:
        report("the text is too short")
        return None
    chosen = best(models)
    if chosen.loss > wanted:
        report(f"a loss of {chosen.loss} is not good enough")
        return {"order": chosen.order, "loss": chosen.loss, "sample": None}
    return {"order": chosen.order, "loss": chosen.loss, "sample": complete(chosen, "a st")}


if __name__ == "__main__":
    print(spelling())
