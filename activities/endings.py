"""How a command ended, and what is known of why, in words."""

from __future__ import annotations

import signal

from activities.process import Exit

_WHY = {
    signal.SIGSEGV: "it reached for memory that it does not have",
    signal.SIGBUS: "it reached for memory that is not there",
    signal.SIGILL: "it was made for another processor",
    signal.SIGFPE: "it divided by zero",
    signal.SIGABRT: "it gave up",
    signal.SIGXCPU: "it used up its CPU time",
    signal.SIGXFSZ: "it wrote a file that is larger than allowed",
    signal.SIGSYS: "it made a call that is not allowed here",
}
"""What a signal says of the process that it ended; SIGKILL says nothing."""
_OUT_OF_MEMORY = "this machine, or the worker's share of it, was out of memory"


def how_it_ended(exit: Exit) -> str:
    """Return how a command ended, as the rest of a sentence: `ended with code 3`."""
    name = signal_name(exit.by) if exit.by else ""
    why = _OUT_OF_MEMORY if exit.out_of_memory else _why(exit.by)
    if exit.signal:
        return f"was ended by {name}" + (f" ({why})" if why else "")
    ended = f"ended with code {exit.code}"
    return f"{ended} (a command was ended by {name}{f': {why}' if why else ''})" if name else ended


def signal_name(number: int) -> str:
    """Return what a signal is called; empty where no signal has the number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}" if number < signal.NSIG else ""


def _why(number: int | None) -> str | None:
    return next((why for each, why in _WHY.items() if each == number), None)
