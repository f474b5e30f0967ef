"""The keys of `container`, and of `with` for the named operators: the part of the table that is about them."""

from __future__ import annotations

from translator.manual.entries import (
    EXPRESSION_PATTERN,
    TEXT,
    TEXTS,
    VALUES,
    Entry,
    Group,
    choice,
    either,
    whole,
)

_EXPRESSION = {"type": "string", "pattern": EXPRESSION_PATTERN}
_CONNECTION = "Instead of `{}`: the name of a URL that the worker has; `warehouse` is its `SEGUE_CONNECTION_WAREHOUSE`."

CONTAINER = Group(
    "CONTAINER",
    "container",
    "An image that `docker` or `podman` of the worker runs. A text in the place of the mapping is the image.",
    (
        Entry("image", TEXT, "text with expressions", "The image."),
        Entry(
            "command",
            either(TEXT, {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1}),
            "text, or list of texts with expressions",
            "A text is a script for the image's `sh`, a list the arguments of its entrypoint.",
            "the image's own",
        ),
        Entry("entrypoint", TEXT, "text with expressions", "A program in place of the image's entrypoint."),
        Entry(
            "workdir",
            TEXT,
            "text with expressions",
            "Where it starts: a path in the container, relative to the bundle's files unless it begins with `/`.",
            "the bundle's files",
        ),
        Entry(
            "pull",
            choice("missing", "always", "never"),
            "`missing`, `always` or `never`",
            "When the image is fetched.",
            "missing",
        ),
    ),
    required=("image",),
)
SQL = Group(
    "SQL",
    "Inputs of `sql`",
    "Statements for a database.",
    (
        Entry(
            "url",
            TEXT,
            "text with expressions",
            "The database, as SQLAlchemy writes it: `postgresql://user@host/name`, `sqlite:////srv/file.db`.",
        ),
        Entry("connection", TEXT, "text", _CONNECTION.format("url")),
        Entry(
            "sql",
            TEXTS,
            "text, or a list of texts",
            "The statement, or statements, of one transaction. A value is a `:name` in them, never an expression.",
        ),
        Entry("parameters", VALUES, "mapping of names to values", "The values of each `:name`; expressions allowed."),
        Entry(
            "inline",
            whole(0, 10_000),
            "whole number, 0 to 10,000",
            "Up to so many rows are in the output itself, more are a file.",
            "1000",
        ),
        Entry(
            "format",
            choice("parquet", "ndjson"),
            "`parquet` or `ndjson`",
            "Of that file.",
            "parquet where the worker has pyarrow, else ndjson",
        ),
    ),
    required=("sql",),
)
NOTIFY = Group(
    "NOTIFY",
    "Inputs of `notify`",
    "A message to people.",
    (
        Entry(
            "to",
            TEXTS,
            "text with expressions, or a list of them",
            "Where to, as [Apprise](https://appriseit.com/services/) writes it: `mailto:`, `slack:`, `json:` ...",
        ),
        Entry("connection", TEXT, "text", _CONNECTION.format("to")),
        Entry("title", TEXT, "text with expressions", "The subject."),
        Entry("text", TEXT, "text with expressions", "The message."),
        Entry(
            "format",
            choice("text", "markdown", "html"),
            "`text`, `markdown` or `html`",
            "What the message is written in.",
            "text",
        ),
    ),
    required=("text",),
)
SSH = Group(
    "SSH",
    "Inputs of `ssh`",
    "A command on another machine.",
    (
        Entry("host", TEXT, "text with expressions", "The machine."),
        Entry("port", either(whole(1, 65_535), _EXPRESSION), "whole number, or an expression", "Of its SSH.", "22"),
        Entry("user", TEXT, "text with expressions", "Who logs in.", "who runs the worker"),
        Entry(
            "key",
            TEXT,
            "text with expressions",
            "The private key: a path on the worker.",
            "the keys in the worker's ~/.ssh",
        ),
        Entry(
            "known_hosts",
            TEXT,
            "text with expressions",
            "The keys of the machines that may be trusted: a path on the worker.",
            "the worker's ~/.ssh/known_hosts",
        ),
        Entry(
            "command",
            TEXT,
            "text",
            "A script for the machine's `sh`. Values come in through `env`, and go out through `$SEGUE_OUTPUT`.",
        ),
    ),
    required=("host", "command"),
)

OPERATOR_GROUPS = (CONTAINER, SQL, NOTIFY, SSH)
