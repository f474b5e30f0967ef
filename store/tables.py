"""The tables of the metadata database: what people search.

Everything about runs can be rebuilt from Temporal and the object store, and nothing here decides what runs next. A
change needs a migration in `store/migrations/versions`; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    literal_column,
    text,
)

from store.columns import CleanText, Document, UtcTime

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

ACTIVE_STEP_STATES = ("queued", "running", "retrying")
"""Those in which Temporal knows more about a step than the interpreter does."""

_ACTIVE = f"state IN ({', '.join(repr(state) for state in ACTIVE_STEP_STATES)})"

workflows = Table(
    "workflows",
    metadata,
    Column("name", CleanText, primary_key=True),
    Column("description", CleanText, nullable=False),
    Column("labels", Document, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("workflow", CleanText, ForeignKey(workflows.c.name), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("plan_hash", CleanText, nullable=False),
    Column("bundle", CleanText),
    Column("triggers", Document, nullable=False),  # of the plan, which may be large
    Column("plan", Document, nullable=False),
    Column("source", Document, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

# No foreign key to `versions`: a run that Temporal knows is recorded even if its version was lost with an old backup.
runs = Table(
    "runs",
    metadata,
    Column("id", CleanText, primary_key=True),
    Column("workflow", CleanText, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", CleanText, nullable=False),
    Column("reason", CleanText, nullable=False),
    Column("cause_kind", CleanText, nullable=False),
    Column("cause_id", CleanText, nullable=False),
    Column("params", Document, nullable=False),
    Column("request", Document, nullable=False),  # without the plan, which `versions` keeps
    Column("output", Document),
    Column("error", Document),
    Column("plan_hash", CleanText, nullable=False),
    Column("seq", Integer, nullable=False),  # of the last event
    Column("applied", Integer, nullable=False),  # the interpreter's last transition that is recorded
    Column("idempotency_key", CleanText),
    Column("body_hash", CleanText),
    Column("created_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("stuck", CleanText),  # what keeps it from moving, and the way out; none: nothing does
    UniqueConstraint("idempotency_key"),
    Index(None, "created_at", "id"),
    Index(None, "workflow", "created_at", "id"),
    Index(None, "state", "created_at", "id"),
)

steps = Table(
    "steps",
    metadata,
    Column("run", CleanText, ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("key", CleanText, primary_key=True),
    Column("step", CleanText, nullable=False),
    Column("item", Integer),
    Column("position", Integer, nullable=False),
    Column("kind", CleanText, nullable=False),
    Column("queue", CleanText, nullable=False),
    Column("state", CleanText, nullable=False),
    Column("reason", CleanText, nullable=False),
    Column("detail", Document, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("worker", CleanText),
    Column("queued_at", UtcTime),  # in this generation
    Column("scheduled_at", UtcTime),
    Column("started_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("output", Document),
    Column("output_object", Document),
    Column("error", Document),
    Column("folder", CleanText),
    # What the observer looks for every second, among steps that are nearly all in a final state.
    Index("ix_steps_active", "run", sqlite_where=text(_ACTIVE), postgresql_where=text(_ACTIVE)),
)

step_is_active = steps.c.state.in_([literal_column(f"'{state}'") for state in ACTIVE_STEP_STATES])
"""The condition of that index; with parameters in place of the literals no database would use it."""

attempts = Table(
    "attempts",
    metadata,
    Column("run", CleanText, primary_key=True),
    Column("key", CleanText, primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),  # within the generation, as Temporal counts
    Column("attempt", Integer, nullable=False),  # within the step, as people count
    Column("state", CleanText, nullable=False),
    Column("worker", CleanText),
    Column("started_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("error", Document),
    Column("folder", CleanText),
    ForeignKeyConstraint(["run", "key"], [steps.c.run, steps.c.key], ondelete="CASCADE"),
)

events = Table(
    "events",
    metadata,
    Column("run", CleanText, ForeignKey(runs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcTime, nullable=False),
    Column("kind", CleanText, nullable=False),
    Column("key", CleanText, nullable=False),
    Column("transition", Integer),  # the interpreter's number for it; none for what was observed from outside
    Column("data", Document, nullable=False),
    UniqueConstraint("run", "transition"),
)

variables = Table(
    "vars",
    metadata,
    Column("name", CleanText, primary_key=True),
    Column("value", Document),
    Column("updated_at", UtcTime, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("sha256", CleanText, primary_key=True),
    Column("name", CleanText, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
