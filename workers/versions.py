"""Which build of the control worker a run is given to, once builds are told apart.

Without a build id, as in development, they are not: any control worker goes on with any run. With one, a run stays with
the build that began it (a build that decides otherwise never sees it) until it begins anew, and what keeps places and
hears events moves to the current build at once, since nobody waits for it to end. Steps are given to any worker.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from temporalio import workflow
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import WorkerDeploymentConfig

DEPLOYMENT = "segue"
"""The name of the deployment of all control workers in Temporal."""

# Told outright: else each worker hashes all its modules before it begins, which may compile each of them again.
ANY = WorkerDeploymentConfig(
    version=WorkerDeploymentVersion(DEPLOYMENT, version("segue-server")), use_worker_versioning=False
)

_OF_THE_CLASS_ITSELF = frozenset({"__dict__", "__weakref__", "__temporal_workflow_definition"})


def deployment(build: str | None) -> WorkerDeploymentConfig:
    """Return the configuration of a control worker of this build; None: builds are not told apart."""
    if build is None:
        return ANY
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(DEPLOYMENT, build),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.PINNED,
    )


def moving(kind: type[Any], name: str, build: str | None) -> type[Any]:
    """Return a workflow's class as one whose executions move to the current build.

    It is a copy where builds are told apart: said of the class itself, workers without a build would be refused.
    """
    if build is None:
        return kind
    body = {key: value for key, value in vars(kind).items() if key not in _OF_THE_CLASS_ITSELF}
    copy = type(kind.__name__, kind.__bases__, body)
    return workflow.defn(name=name, versioning_behavior=VersioningBehavior.AUTO_UPGRADE)(copy)
