"""Every key of the definition language, with its type, default and meaning.

The one source of the JSON Schema for editors, of the reference page, and of the order in which definitions are written.
`translator.keys` says which of them this release reads; the readers say what is right.
"""

from __future__ import annotations

from translator.manual.entries import (
    ANYTHING,
    CONDITION,
    DURATION,
    ISOLATED,
    PARAM,
    REQUIREMENTS,
    TEXT,
    TEXTS,
    VALUES,
    Entry,
    Group,
    choice,
    either,
    group,
    mapping,
    number,
    whole,
)
from translator.manual.operator_tables import OPERATOR_GROUPS
from translator.manual.step_tables import STEP_GROUPS

_DEFAULT_PARALLEL = 200

WORKFLOW = Group(
    "WORKFLOW",
    "A workflow",
    "The keys at the top of a definition.",
    (
        Entry("segue", {"const": 1}, "`1`", "Version of the language."),
        Entry(
            "name",
            {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,62}$"},
            "text",
            "How the workflow is called everywhere; also Temporal's workflow type. A lower-case letter, then at most "
            "62 lower-case letters, digits or `-`.",
        ),
        Entry("description", TEXT, "text", "One line for people."),
        Entry("labels", mapping({"type": "string"}), "mapping of names to texts", "For people who search."),
        Entry(
            "params",
            mapping(PARAM, "^[A-Za-z_][A-Za-z0-9_]{0,62}$"),
            "mapping of names to JSON Schemas",
            "What a run is given, checked before it starts. `default` makes a param optional.",
        ),
        Entry(
            "triggers",
            {"type": "array", "items": group("TRIGGER"), "maxItems": 50},
            "list",
            "What starts runs without a person.",
        ),
        Entry("concurrency", group("CONCURRENCY"), "mapping", "How many runs that share a key may go on at once."),
        Entry(
            "max_parallel",
            whole(1, 1_000),
            "whole number, 1 to 1,000",
            "Steps and map items in flight at once.",
            str(_DEFAULT_PARALLEL),
        ),
        Entry(
            "timeout",
            DURATION,
            "duration",
            "Of the whole run; `wait` and `approve` steps add to its default what they may take.",
            "24h",
        ),
        Entry(
            "on_failure",
            choice("finish", "stop", "hold"),
            "`finish`, `stop` or `hold`",
            "What a failed step does to the rest: independent branches go on, are cancelled, or the failed step waits "
            "for a person before anything follows from it.",
            "finish",
        ),
        Entry("defaults", group("DEFAULTS"), "mapping", "Options of every step that does not say otherwise."),
        Entry("code", group("CODE"), "mapping", "Which files travel with the workflow."),
        Entry(
            "steps",
            mapping(group("STEP"), "^[A-Za-z][A-Za-z0-9_-]{0,62}$") | {"minProperties": 1},
            "mapping of ids to steps",
            "What is done. A step starts when what it needs has ended, not in the order written.",
        ),
        Entry(
            "finally",
            mapping(group("STEP"), "^[A-Za-z][A-Za-z0-9_-]{0,62}$"),
            "mapping of ids to steps",
            "Steps that run once at the end, however the run ends, also after a cancel.",
        ),
        Entry("output", ANYTHING, "any value with expressions", "The run's output."),
    ),
    required=("segue", "name", "steps"),
)
CONCURRENCY = Group(
    "CONCURRENCY",
    "concurrency",
    "A limit on runs at once.",
    (
        Entry(
            "key",
            TEXT,
            "text with expressions",
            "Runs whose keys are equal share the limit. It may speak of `params`, `workflow`, `event` and `vars`.",
            "the workflow's name",
        ),
        Entry("limit", whole(1, 1_000), "whole number", "Runs at once.", "1"),
        Entry(
            "when_full",
            choice("queue", "skip", "cancel_oldest"),
            "`queue`, `skip` or `cancel_oldest`",
            "What a run does that finds no place: wait its turn, end at once, or have the oldest one cancelled.",
            "queue",
        ),
    ),
)
TRIGGER = Group(
    "TRIGGER",
    "A trigger",
    "An entry of `triggers`: a schedule or an event, and the params of the runs it starts.",
    (
        Entry("schedule", group("SCHEDULE"), "mapping", "Runs at times."),
        Entry("event", group("EVENT"), "mapping", "A run for each event that is sent to the service."),
        Entry(
            "params",
            VALUES,
            "mapping of params to values",
            "Params of these runs. Those of an event may hold expressions over `event`.",
        ),
    ),
)
SCHEDULE = Group(
    "SCHEDULE",
    "schedule",
    "Times at which runs start.",
    (
        Entry("cron", TEXT, "text", "Five fields, minute hour day month weekday, or a preset such as `@daily`."),
        Entry("every", TEXT, "text", "A rhythm that cron cannot say, such as `90m` or `1 month`, in place of `cron`."),
        Entry("start", TEXT, "date or time", "From when `every` counts."),
        Entry("timezone", TEXT, "IANA name", "The zone of the times, such as `Europe/Paris`.", "UTC"),
        Entry(
            "overlap",
            choice("skip", "allow", "queue", "cancel_oldest"),
            "`skip`, `allow`, `queue` or `cancel_oldest`",
            "What happens while the run before still goes.",
            "skip",
        ),
        Entry("catchup", DURATION, "duration", "How far back missed runs are made up for after an outage.", "10m"),
    ),
)
EVENT = Group(
    "EVENT",
    "event",
    "An event that starts runs: see [triggers](language.md#triggers).",
    (
        Entry("name", TEXT, "text", "The event's name, such as `dataset.published`."),
        Entry("if", CONDITION, "expression over `event`", "Events for which it is false start nothing."),
        Entry("debounce", DURATION, "duration", "Quiet after which the last event counts, and those before do not."),
    ),
    required=("name",),
)
DEFAULTS = Group(
    "DEFAULTS",
    "defaults",
    "What every step has that does not say otherwise. `retry`, `timeout`, `env` and `resources` are filled in key by "
    "key.",
    (
        Entry("queue", TEXT, "text", "The fleet that runs the steps.", "cpu"),
        Entry("priority", whole(1, 5), "whole number, 1 to 5", "As of a step.", "3"),
        Entry("resources", group("RESOURCES"), "mapping", "As of a step, for `run`, `python` and `container` steps."),
        Entry("timeout", either(DURATION, group("TIMEOUT")), "duration or mapping", "As of a step."),
        Entry("retry", group("RETRY"), "mapping", "As of a step."),
        Entry("env", VALUES, "mapping of names to values", "Environment variables of steps that have any."),
        Entry(
            "cache",
            either({"type": "boolean"}, group("CACHE")),
            "`true`, `false` or mapping",
            "As of a step; of those that compute something and read no secrets.",
        ),
        Entry("isolation", ISOLATED, "text or mapping", "As of a step."),
        Entry("requirements", REQUIREMENTS, "path, or list of texts", "As of a step."),
    ),
)
CODE = Group(
    "CODE",
    "code",
    "The code that travels with the workflow as its bundle, from the definition's folder.",
    (
        Entry("include", TEXTS, "glob pattern, or a list of them", "Which files travel.", '["**/*.py"]'),
        Entry(
            "python",
            TEXT,
            "text",
            "Which Python the steps need, such as `>=3.11`, `>=3.11,<3.13`, or `3.12` for any 3.12: see "
            "[environments](environments.md).",
        ),
        Entry(
            "requirements",
            REQUIREMENTS,
            "path, or list of texts",
            "A file of pip requirements, a `pyproject.toml`, a `uv.lock`, or requirements themselves; steps run in an "
            "environment made from it.",
        ),
    ),
)
RESOURCES = Group(
    "RESOURCES",
    "resources",
    "What a step occupies on its worker while it runs: see [fleets](fleets.md#resources).",
    (
        Entry("cpu", {"type": "number", "exclusiveMinimum": 0, "maximum": 4_096}, "number", "Cores, such as 4 or 0.5."),
        Entry(
            "memory",
            {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti)$"},
            "size",
            "Memory, such as `512Mi` or `8Gi`; also the most that the step's processes may use together.",
        ),
        Entry("gpu", whole(0, 64), "whole number", "Devices, which are the step's alone: `CUDA_VISIBLE_DEVICES`."),
    ),
)
RETRY = Group(
    "RETRY",
    "retry",
    "How often and how soon a failed step is tried again.",
    (
        Entry("attempts", whole(1, 1_000), "whole number, 1 to 1,000", "Tries in all.", "1"),
        Entry("delay", DURATION, "duration", "Wait before the second try.", "1s"),
        Entry("backoff", number(1, 100), "number, 1 to 100", "Factor on the wait from try to try.", "2"),
        Entry("max_delay", DURATION, "duration", "Upper bound of the wait.", "5m"),
        Entry(
            "unless", TEXTS, "error type, or a list of them", "Errors that are never tried again, such as `ValueError`."
        ),
    ),
)
TIMEOUT = Group(
    "TIMEOUT",
    "timeout",
    "Bounds of a step. A duration in the place of the mapping is `run`.",
    (
        Entry("run", DURATION, "duration", "One attempt, from its start on a worker.", "24h"),
        Entry("queue", DURATION, "duration", "The wait for a worker."),
        Entry("total", DURATION, "duration", "All attempts and waits together."),
        Entry("heartbeat", DURATION, "duration", "Silence of a worker after which its attempt counts as lost.", "10s"),
    ),
)

GROUPS: tuple[Group, ...] = (
    *(WORKFLOW, CONCURRENCY, TRIGGER, SCHEDULE, EVENT, DEFAULTS, CODE),
    *STEP_GROUPS,
    *OPERATOR_GROUPS,
    *(RESOURCES, RETRY, TIMEOUT),
)
BY_NAME = {each.name: each for each in GROUPS}
