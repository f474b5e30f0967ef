"""The rows of a statement: in the output itself while they are few, else in a file that is written as they come."""

from __future__ import annotations

import base64
import datetime
import decimal
import importlib.util
import json
import math
import uuid
from pathlib import Path
from typing import Any, TextIO

MAX_INLINE_BYTES = 4 * 1024 * 1024
BATCH = 10_000
"""Rows of a Parquet file's group: as many as are in memory at once."""


class Unfit(Exception):
    """Rows that cannot be an output."""


class Rows:
    """The rows of one statement at a time.

    Args:
        folder: Where files are written.
        inline: Up to so many rows are kept in the output.
        format: `parquet` or `ndjson`; None: the first that can be had.
    """

    def __init__(self, folder: Path, inline: int, format: str | None) -> None:
        has_parquet = importlib.util.find_spec("pyarrow") is not None
        if format == "parquet" and not has_parquet:
            hint = "install segue-server[parquet] in its environment, or write format: ndjson"
            raise Unfit(f"this worker has no pyarrow, which writes Parquet: {hint}")
        self._parquet = format == "parquet" or (format is None and has_parquet)
        self._folder = folder
        self._inline = inline

    def begin(self, columns: list[str], *, keep: bool) -> None:
        """Start with a statement's rows, which are only counted unless they are to be kept."""
        twice = sorted({name for name in columns if columns.count(name) > 1})
        if twice and keep:
            raise Unfit(f"the rows have several columns called {', '.join(twice)}: name them with AS")
        self.columns = columns
        self._keep = keep
        self._count = 0
        self._bytes = 0
        self._held: list[tuple[Any, ...]] = []
        self._file: _NdjsonFile | _ParquetFile | None = None

    def add(self, rows: list[tuple[Any, ...]]) -> None:
        """Take some more rows."""
        self._count += len(rows)
        if not self._keep:
            return
        if self._file is None:
            self._held += rows
            self._bytes += sum(len(json.dumps([plain(value) for value in row])) for row in rows)
            if self._count <= self._inline and self._bytes <= MAX_INLINE_BYTES:
                return
            kind = _ParquetFile if self._parquet else _NdjsonFile
            self._file = kind(self._folder, self.columns)
            rows, self._held = self._held, []
        self._file.write(rows)

    def output(self) -> dict[str, Any]:
        """Return what the statement gave."""
        rows, file = None, None
        if self._file is not None:
            file = {"$segue": "file", "path": str(self._file.close())}
        elif self._keep:
            rows = [dict(zip(self.columns, map(plain, row), strict=True)) for row in self._held]
        return {"count": self._count, "columns": self.columns, "rows": rows, "file": file}


class _NdjsonFile:
    """A JSON object a line."""

    def __init__(self, folder: Path, columns: list[str]) -> None:
        self._path = folder / "rows.ndjson"
        self._columns = columns
        self._file: TextIO = self._path.open("w", encoding="utf-8")

    def write(self, rows: list[tuple[Any, ...]]) -> None:
        for row in rows:
            values = dict(zip(self._columns, map(plain, row), strict=True))
            self._file.write(json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n")

    def close(self) -> Path:
        self._file.close()
        return self._path


class _ParquetFile:
    """A Parquet file, whose columns have the types of all their values.

    A column may begin with nulls, and its type shows late: groups of rows are kept as Arrow files with the types that
    they have, and put together at the end.
    """

    def __init__(self, folder: Path, columns: list[str]) -> None:
        self._folder = folder
        self._columns = columns
        self._rows: list[tuple[Any, ...]] = []
        self._parts: list[Path] = []
        self._schemas: list[Any] = []

    def write(self, rows: list[tuple[Any, ...]]) -> None:
        self._rows += rows
        if len(self._rows) >= BATCH:
            self._part()

    def _part(self) -> None:
        import pyarrow as pa

        rows, self._rows = self._rows, []
        columns = [list(map(_for_arrow, values)) for values in zip(*rows, strict=True)]
        arrays = [_array(name, values) for name, values in zip(self._columns, columns, strict=True)]
        table = pa.table(dict(zip(self._columns, arrays, strict=True)))
        path = self._folder / f"rows-{len(self._parts)}.arrow"
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
        self._parts.append(path)
        self._schemas.append(table.schema)

    def close(self) -> Path:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._rows:
            self._part()
        try:
            schema = pa.unify_schemas(self._schemas, promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise Unfit(f"{error}: CAST the column, or write format: ndjson") from None
        path = self._folder / "rows.parquet"
        with pq.ParquetWriter(path, schema) as writer:
            for part in self._parts:
                with pa.memory_map(str(part)) as file:
                    writer.write_table(pa.ipc.open_file(file).read_all().cast(schema))
                part.unlink()
        return path


def _array(name: str, values: list[Any]) -> Any:
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise Unfit(f"column {name}: {error}: CAST the column, or write format: ndjson") from None


def _for_arrow(value: Any) -> Any:
    """Return a value that Arrow has a type for."""
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    if isinstance(value, list | dict):
        return json.dumps(plain(value), ensure_ascii=False)
    known = (str, bytes, bool, int, float, decimal.Decimal, datetime.date, datetime.time, datetime.timedelta)
    return value if value is None or isinstance(value, known) else str(value)


def plain(value: Any) -> Any:
    """Return a value as JSON has it: times as ISO 8601, decimals exactly as text, bytes as base64, no NaN."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case decimal.Decimal() | uuid.UUID():
            return str(value)
        case datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return value.total_seconds()
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case list() | tuple():
            return [plain(item) for item in value]
        case dict():
            return {str(name): plain(item) for name, item in value.items()}
    return str(value)
