"""Workflows: deploying versions and looking at them. A version is immutable; a deploy adds one or changes nothing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from starlette.concurrency import run_in_threadpool

from api.problems import Problem, invalid, not_found
from api.routes.bundles import bundle_key
from api.run_ids import WORKFLOW_PATTERN
from api.schemas import Deploy, Deployed, TriggerInfo, Version, VersionSummary, Workflow, Workflows, WorkflowSummary
from api.services import InDatabase, InObjects, InServices, InTemporal
from api.strict_json import StrictRoute
from api.temporal import Temporal
from api.triggers import apply_triggers, describe_triggers
from store import rows
from store.columns import text_of
from store.database import Database
from store.objects import ObjectStore
from store.workflows import deploy_workflow, get_version, get_workflow, list_versions, list_workflows
from translator import DefinitionError, compile_document, compile_yaml
from workflows.plan import Plan, Trigger

router = APIRouter(tags=["workflows"], route_class=StrictRoute)

TRIGGER_PATIENCE_SECONDS = 20.0
"""For a deploy with many schedules; each call still has its own short time-out."""

Name = Annotated[str, Path(pattern=WORKFLOW_PATTERN, examples=["train-digits"])]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[3])]


@router.post(
    "/workflows",
    status_code=201,
    summary="Deploy a definition",
    responses={200: {"model": Deployed, "description": "Nothing has changed: the newest version stays."}},
)
async def deploy(
    body: Deploy,
    response: Response,
    services: InServices,
    database: InDatabase,
    objects: InObjects,
    temporal: InTemporal,
) -> Deployed:
    """Compile the definition, store it as the newest version, and make its triggers live.

    Doing it again is harmless, and completes a deploy that was interrupted.
    """
    plan = await run_in_threadpool(_compile, body)
    await _check_bundle(objects, body.bundle)
    async with services.deploying[plan.workflow]:
        version, created = await deploy_workflow(database, plan, body.source.model_dump(), body.bundle)
        await _make_triggers_live(database, temporal, plan.workflow)
    response.status_code = 201 if created else 200
    return Deployed(
        name=plan.workflow,
        version=version.version,
        plan_hash=version.plan_hash,
        created=created,
        triggers=_triggers(plan.workflow, [asdict(trigger) for trigger in plan.triggers]),
    )


@router.get("/workflows", summary="All workflows")
async def list_all(database: InDatabase) -> Workflows:
    """Return every workflow with its newest version and last run, by name."""
    return Workflows(workflows=[WorkflowSummary(**_shown(found)) for found in await list_workflows(database)])


@router.get("/workflows/{name}", summary="One workflow")
async def get(name: Name, database: InDatabase) -> Workflow:
    """Return a workflow with its versions, newest first."""
    found = await get_workflow(database, name)
    if found is None:
        raise not_found("workflow", name)
    versions = [VersionSummary(**_shown_version(version)) for version in await list_versions(database, name)]
    return Workflow(**_shown(found), versions=versions)


@router.get("/workflows/{name}/versions/{number}", summary="One version")
async def get_one_version(name: Name, number: Number, database: InDatabase) -> Version:
    """Return what runs in a version and what its author wrote."""
    found = await get_version(database, name, number)
    if found is None:
        raise not_found("workflow version", f"{name} {number}")
    return Version(**_shown_version(found), name=name, plan=found.plan, source=found.source)


def _compile(body: Deploy) -> Plan:
    try:
        if body.source.language == "yaml":
            if body.document is not None:
                raise invalid([("document", "goes with a Python definition only")])
            return compile_yaml(body.source.text, body.source.filename, body.files)
        if body.document is None:
            raise invalid([("document", "a Python definition is sent evaluated: the service never runs it")])
        return compile_document(body.document, body.source.filename, body.files)
    except DefinitionError as error:
        diagnostics = [diagnostic.to_json() for diagnostic in error.diagnostics]
        number = len(diagnostics) + error.omitted
        detail = f"The definition has {number} {'problem' if number == 1 else 'problems'}."
        raise Problem(422, "definition_invalid", detail, diagnostics=diagnostics) from None


async def _check_bundle(objects: ObjectStore, sha256: str | None) -> None:
    if sha256 is not None and await run_in_threadpool(objects.stat, bundle_key(sha256)) is None:
        raise invalid(
            [("bundle", f"there is no such bundle: PUT /api/v1/bundles/{sha256} first")], code="bundle_missing"
        )


async def _make_triggers_live(database: Database, temporal: Temporal, name: str) -> None:
    """Apply the newest version's triggers, and again if another process has deployed a newer one meanwhile."""
    applied = 0
    while (newest := await get_version(database, name)) is not None and newest.version != applied:
        async with temporal.session(TRIGGER_PATIENCE_SECONDS) as client:
            await apply_triggers(client, Plan.from_json(newest.plan))
        applied = newest.version


def _shown(found: rows.Workflow) -> dict[str, Any]:
    return {
        "name": found.name,
        "description": found.description,
        "labels": found.labels,
        "version": found.version,
        "plan_hash": found.plan_hash,
        "created_at": text_of(found.created_at),
        "triggers": _triggers(found.name, found.triggers),
        "last_run": found.last_run.summary() if found.last_run is not None else None,
    }


def _shown_version(version: rows.Version) -> dict[str, Any]:
    return {
        "version": version.version,
        "plan_hash": version.plan_hash,
        "bundle": version.bundle,
        "created_at": text_of(version.created_at),
    }


def _triggers(name: str, triggers: list[dict[str, Any]]) -> list[TriggerInfo]:
    return [TriggerInfo(**shown) for shown in describe_triggers(name, [Trigger(**trigger) for trigger in triggers])]
