"""Operators for what is not the user's own code: databases, messages, other machines, containers.

Like all operators, they only describe a step. Arguments have the names of the YAML keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

from segue.expression import Expression
from segue.operators import Operator
from segue.options import StepOptions
from segue.place import misuse
from segue.values import plain

Text = str | Expression


class SQLOperator(Operator):
    """A step that has a database run statements, in one transaction. Its output: `count`, `columns`, `rows`, `file`.

    Args:
        sql: The statement, or a list of them. Values are a `:name` in it, and stand under `parameters`.
        url: The database as SQLAlchemy writes it; expressions allowed.
        connection: Instead of `url`: the name of one that the worker has.
        parameters: Values by name; expressions allowed.
        inline: Up to so many rows are in the output itself, more are a file.
        format: Of that file: `parquet` or `ndjson`.
    """

    arguments: ClassVar = {
        name: f"with/{name}" for name in ("url", "connection", "sql", "parameters", "inline", "format")
    }

    def __init__(
        self,
        task_id: str | None = None,
        sql: str | Sequence[str] | None = None,
        *,
        url: Text | None = None,
        connection: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        inline: int | None = None,
        format: str | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        if sql is None:
            raise misuse(
                "SQLOperator needs sql", hint='SQLOperator(sql="SELECT * FROM runs", url="sqlite:////srv/runs.db")'
            )
        given = _given(url=url, connection=connection, sql=sql, parameters=parameters, inline=inline, format=format)
        super().__init__(task_id, {"uses": "sql", "with": given}, options)


class NotifyOperator(Operator):
    """A step that sends a message to people. Its output is `sent`, to how many addresses.

    Args:
        text: The message; expressions allowed.
        to: Where to, as Apprise writes it: `mailto:data@example.com`, `slack://...`; one, or a list.
        connection: Instead of `to`: the name of an address that the worker has.
        title: The subject; expressions allowed.
        format: What the message is written in: `text`, `markdown` or `html`.
    """

    arguments: ClassVar = {name: f"with/{name}" for name in ("to", "connection", "title", "text", "format")}

    def __init__(
        self,
        task_id: str | None = None,
        text: Text | None = None,
        *,
        to: Text | Sequence[Text] | None = None,
        connection: str | None = None,
        title: Text | None = None,
        format: str | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        if text is None:
            raise misuse("NotifyOperator needs text", hint='NotifyOperator(text="Done", to="mailto:data@example.com")')
        given = _given(to=to, connection=connection, title=title, text=text, format=format)
        super().__init__(task_id, {"uses": "notify", "with": given}, options)


class SSHOperator(Operator):
    """A step that runs a command on another machine, where it ends with the step.

    Args:
        command: The script, as it is: values travel through `env`.
        host: The machine; expressions allowed.
        port: Of its SSH; 22 without it.
        user: Who logs in.
        key: The private key, as a path on the worker.
        known_hosts: The keys of trusted machines, as a path on the worker.
        env: Environment variables; expressions allowed.
    """

    arguments: ClassVar = {
        **{name: f"with/{name}" for name in ("host", "port", "user", "key", "known_hosts", "command")},
        "env": "env",
    }

    def __init__(
        self,
        task_id: str | None = None,
        command: str | None = None,
        *,
        host: Text | None = None,
        port: int | Expression | None = None,
        user: Text | None = None,
        key: Text | None = None,
        known_hosts: Text | None = None,
        env: Mapping[str, Any] | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        if command is None or host is None:
            raise misuse("SSHOperator needs command and host", hint='SSHOperator(command="./train.sh", host="gpu1")')
        given = _given(host=host, port=port, user=user, key=key, known_hosts=known_hosts, command=command)
        super().__init__(task_id, {"uses": "ssh", "with": given, **_given(env=env)}, options)


class ContainerOperator(Operator):
    """A step that runs an image with the worker's `docker` or `podman`.

    Args:
        image: The image; expressions allowed.
        command: A script for the image's `sh`, or a list: the arguments of its entrypoint, expressions allowed.
        entrypoint: A program in place of the image's entrypoint.
        workdir: Where it starts; the bundle's files without it.
        pull: When the image is fetched: `missing`, `always` or `never`.
        env: Environment variables; expressions allowed.
    """

    arguments: ClassVar = {
        **{name: f"container/{name}" for name in ("image", "command", "entrypoint", "workdir", "pull")},
        "env": "env",
    }

    def __init__(
        self,
        task_id: str | None = None,
        image: Text | None = None,
        *,
        command: str | Sequence[Any] | None = None,
        entrypoint: Text | None = None,
        workdir: Text | None = None,
        pull: str | None = None,
        env: Mapping[str, Any] | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        if image is None:
            raise misuse("ContainerOperator needs image", hint='ContainerOperator(image="python:3.12-slim")')
        given = _given(image=image, command=command, entrypoint=entrypoint, workdir=workdir, pull=pull)
        super().__init__(task_id, {"container": given, **_given(env=env)}, options)


def _given(**values: Any) -> dict[str, Any]:
    return {name: plain(value, name) for name, value in values.items() if value is not None}
