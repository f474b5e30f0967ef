"""The keys of a step and of what is inside one: the part of the table that is about steps."""

from __future__ import annotations

from typing import get_args

from translator.manual.entries import (
    ANYTHING,
    CONDITION,
    DURATION,
    EXPRESSION_PATTERN,
    ISOLATED,
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
    whole,
)
from workflows.plan import TriggerRule

_RULES = get_args(TriggerRule)
_NEEDS = either(TEXT, {"type": "array", "items": TEXT}, mapping({"type": ["string", "boolean", "null"]}))

STEP = Group(
    "STEP",
    "A step",
    "A step has exactly one *kind*, and may have the other keys.",
    (
        Entry("description", TEXT, "text", "One line for people."),
        Entry(
            "needs",
            _NEEDS,
            "step, list of steps, or mapping of steps to conditions",
            "What must have ended before. A condition (`true` for none) is looked at when the need succeeded, and "
            "speaks of its `output`. A reference to a step's output is a need by itself.",
        ),
        Entry(
            "trigger_rule",
            choice(*_RULES),
            "one of " + ", ".join(f"`{rule}`" for rule in _RULES),
            "When the states of the needs let the step start: Airflow's names and meaning.",
            "all_success",
        ),
        Entry("if", CONDITION, "expression", "Looked at last; false skips the step.", "true"),
        Entry(
            "map",
            either(group("MAP"), {"type": "array", "items": group("MAP"), "minItems": 1}),
            "mapping",
            "One run of the step for each item of a list.",
        ),
        Entry(
            "run",
            TEXT,
            "kind: text",
            "A shell script. Values come in through `env`, never through the text; they go out as `key=value` lines in "
            "`$SEGUE_OUTPUT`, files through `$SEGUE_ARTIFACTS`.",
        ),
        Entry(
            "python",
            TEXT,
            "kind: `module:function`",
            "A function of the bundle, called with the values under `with` as arguments by name. What it returns is "
            "the output.",
        ),
        Entry("http", group("HTTP"), "kind: mapping", "A call of a service, or a job that runs there."),
        Entry("container", either(TEXT, group("CONTAINER")), "kind: image, or mapping", "A container that is run."),
        Entry(
            "workflow",
            either(TEXT, group("CALL")),
            "kind: name, or mapping",
            "Another workflow as a child of this run; `with` has its params, and its output is the step's.",
        ),
        Entry("approve", group("APPROVE"), "kind: mapping", "Waits for people to approve or reject."),
        Entry("wait", group("WAIT"), "kind: mapping", "Waits for a time to pass, for a time, or for an event."),
        Entry(
            "uses",
            TEXT,
            "kind: text",
            "`noop`, which does nothing and is a place for arrows to meet; an operator: `sql`, `notify` or `ssh`; or a "
            "shared step: a file beside the definition such as `./common/auth.yaml`, or a package of the library such "
            "as `library/auth@2`. `with` has its inputs.",
        ),
        Entry(
            "with",
            VALUES,
            "mapping of names to values",
            "Inputs of the step, by name; expressions allowed, in a Python step `secrets.NAME` too.",
        ),
        Entry(
            "env",
            VALUES,
            "mapping of names to values",
            "Environment variables of a shell, Python, container or `ssh` step; anything but text arrives as JSON. "
            "They may speak of `secrets.NAME`, which the worker replaces.",
        ),
        Entry("queue", TEXT, "text", "The fleet that runs it.", "cpu"),
        Entry(
            "priority",
            whole(1, 5),
            "whole number, 1 to 5",
            "Which steps go first when a queue is long: 1 before 2. Of a `workflow` step, that of the steps of its run "
            "that say nothing themselves.",
            "3",
        ),
        Entry(
            "resources",
            group("RESOURCES"),
            "mapping",
            "What it occupies on its worker while it runs: see [fleets](fleets.md#resources).",
        ),
        Entry("retry", group("RETRY"), "mapping", "How often and how soon it is tried again."),
        Entry(
            "timeout",
            either(DURATION, group("TIMEOUT")),
            "duration or mapping",
            "A duration bounds one attempt; the mapping has more.",
            "24h",
        ),
        Entry(
            "cache",
            either({"type": "boolean"}, group("CACHE")),
            "`true`, `false` or mapping",
            "The same code, given the same inputs in the same environment, is not run again: the output that it gave "
            "before is reused, and what computes it now is waited for. See [artifacts and cache](outputs.md).",
            "false",
        ),
        Entry(
            "isolation",
            ISOLATED,
            "`process`, `sandbox`, or mapping",
            "Of a `run` or `python` step: how far it is kept from its machine. `sandbox`: it reads the machine's files "
            "and changes none, has a `/tmp` of its own and no network: see [environments](environments.md#a-sandbox).",
            "process",
        ),
        Entry(
            "requirements",
            REQUIREMENTS,
            "path, or list of texts",
            "Of a `run` or `python` step: what its environment is made from instead of the workflow's: a file of pip "
            "requirements, a `pyproject.toml`, a `uv.lock`, or requirements themselves (`[]`: none).",
            "the workflow's",
        ),
        Entry(
            "output",
            {"type": "object"},
            "mapping of names to JSON Schemas; for `http`, to expressions",
            "What it declares: a schema types and checks a value; an expression over `response` computes one.",
        ),
        Entry(
            "artifacts",
            TEXTS,
            "glob pattern, or a list of them",
            "Files that a shell, Python or container step must leave in the folder in which it runs, and that are kept "
            "besides all those in `$SEGUE_ARTIFACTS`. `*` stands for any name, `**/` for folders, the name of a folder "
            "for all files in it. A pattern that fits no file fails the step. See [artifacts and "
            "cache](outputs.md).",
        ),
    ),
)
CACHE = Group(
    "CACHE",
    "cache",
    "How long an output may be reused. `true` in the place of the mapping sets no bound.",
    (Entry("ttl", DURATION, "duration", "The age up to which an output is reused.", "any age"),),
)
MAP = Group(
    "MAP",
    "map",
    "One run of the step for each item of a list. The output is the list of the items' outputs, in order. A list of "
    "such mappings nests: the inner `over` may speak of the outer variable.",
    (
        Entry(
            "over",
            either({"type": "array", "maxItems": 1_000}, {"type": "string", "pattern": EXPRESSION_PATTERN}),
            "list, or one expression that gives a list",
            "What is mapped over; at most 1,000 items.",
        ),
        Entry("as", TEXT, "text", "The variable that holds the item in the step's expressions.", "item"),
        Entry("limit", whole(1, 1_000), "whole number", "Items in flight at once."),
        Entry(
            "min_success",
            either(whole(0, 1_000), {"type": "string", "pattern": r"^[0-9]{1,3}(\.[0-9]{1,6})? ?%$"}),
            "number of items, or a share such as `80%`",
            "Items that must succeed for the step to succeed.",
            "100%",
        ),
    ),
    required=("over",),
)
_REQUEST = (
    Entry("method", TEXT, "text", "`GET`, `POST`, `PUT`, `PATCH`, `DELETE`, `HEAD` or `OPTIONS`.", "GET"),
    Entry("url", TEXT, "text with expressions", "Where to."),
    Entry(
        "headers",
        VALUES,
        "mapping of names to texts",
        "Headers of the request; all of it may speak of `secrets.NAME`.",
    ),
    Entry("params", VALUES, "mapping of names to texts", "The query."),
    Entry("json", ANYTHING, "any value with expressions", "Body, sent as JSON."),
    Entry("body", TEXT, "text with expressions", "Body, sent as it is."),
    Entry(
        "expect",
        either(whole(100, 599), {"type": "array", "items": whole(100, 599)}),
        "status code, or a list of them",
        "Answers that count as success.",
        "200 to 299",
    ),
)
HTTP = Group(
    "HTTP",
    "http",
    "One request (`url` and what belongs to it), or a remote job: `submit` starts it, `poll` watches it or the service "
    "posts back to `callback`, `cancel` stops it. `response` is the answer, or what was posted, `submit` the answer to "
    "that request; they have `json`, `text` and `headers`, and answers `status`.",
    (
        *_REQUEST,
        Entry(
            "submit", group("REQUEST"), "mapping", "The request that starts a job; `POST` unless `method` says more."
        ),
        Entry("poll", group("POLL"), "mapping", "How the job is watched."),
        Entry(
            "callback",
            either({"enum": [True]}, group("CALLBACK")),
            "`true`, or a mapping",
            "The service posts its answer back, to the address that `submit` gives it as `callback.url`.",
        ),
        Entry(
            "cancel", group("REQUEST"), "mapping", "The request that stops the job; `DELETE` unless `method` says more."
        ),
    ),
)
REQUEST = Group("REQUEST", "submit and cancel", "A request of a remote job.", _REQUEST, required=("url",))
POLL = Group(
    "POLL",
    "poll",
    "Asks a remote job until it is done.",
    (
        Entry("url", TEXT, "text with expressions", "Where to ask; it may speak of `submit`."),
        Entry("headers", VALUES, "mapping of names to texts", "Headers of the request."),
        Entry("every", DURATION, "duration", "How often.", "10s"),
        Entry("until", CONDITION, "expression over `response`", "The job is done when it is true."),
        Entry("fail_if", CONDITION, "expression over `response`", "The job has failed when it is true."),
    ),
    required=("url", "until"),
)
CALLBACK = Group(
    "CALLBACK",
    "callback",
    "The service posts to the address, once; what it posts is `response`.",
    (Entry("fail_if", CONDITION, "expression over `response`", "The job has failed when it is true."),),
)
CALL = Group(
    "CALL",
    "workflow of a step",
    "Another workflow, where more than its name is said.",
    (
        Entry("name", TEXT, "text", "The other workflow's name."),
        Entry("version", whole(1, 2**31 - 1), "whole number", "Which of its versions.", "the newest"),
    ),
    required=("name",),
)
WAIT = Group(
    "WAIT",
    "wait",
    "One of these.",
    (
        Entry("for", TEXT, "duration, or an expression", "Time to pass, such as `10m`."),
        Entry("until", TEXT, "time, or an expression", "A time as RFC 3339 has it."),
        Entry("event", group("WAIT_EVENT"), "mapping", "An event that is sent to the service; it is the output."),
    ),
)
WAIT_EVENT = Group(
    "WAIT_EVENT",
    "event of a wait",
    "The event that a step waits for.",
    (
        Entry("name", TEXT, "text with expressions", "The event's name."),
        Entry("if", CONDITION, "expression over `event`", "Events for which it is false are not the one."),
    ),
    required=("name",),
)
APPROVE = Group(
    "APPROVE",
    "approve",
    "Who decides, and what happens when nobody does.",
    (
        Entry("by", TEXTS, "text, or a list of texts", "Who may decide, such as `role:releaser`."),
        Entry("quorum", whole(1, 100), "whole number", "How many must approve.", "1"),
        Entry("timeout", DURATION, "duration", "How long the step waits."),
        Entry(
            "on_timeout",
            choice("reject", "approve", "fail"),
            "`reject`, `approve` or `fail`",
            "What the end of the wait means.",
            "reject",
        ),
        Entry(
            "form", mapping({"type": "object"}), "mapping of names to JSON Schemas", "What is asked of whoever decides."
        ),
    ),
)

ISOLATION = Group(
    "ISOLATION",
    "isolation",
    "The mapping says how a sandbox is made.",
    (Entry("sandbox", group("SANDBOX"), "mapping", "A sandbox with these options."),),
    required=("sandbox",),
)
SANDBOX = Group(
    "SANDBOX",
    "sandbox of a step",
    "What a sandbox leaves open.",
    (Entry("network", {"type": "boolean"}, "`true` or `false`", "Whether it has the machine's network.", "false"),),
)

STEP_GROUPS = (*(STEP, CACHE, MAP, HTTP, REQUEST, POLL, CALLBACK, CALL, WAIT, WAIT_EVENT, APPROVE, ISOLATION, SANDBOX),)
