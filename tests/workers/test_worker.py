"""What Temporal is told of our workers."""

from __future__ import annotations

from importlib.metadata import version

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from workers.stack import Stack


async def test_every_worker_says_which_segue_it_is(stack: Stack) -> None:
    client = await Client.connect(str(stack.service["temporal_address"]))
    for queue in ("segue-control", "cpu", "gpu"):
        request = DescribeTaskQueueRequest(
            namespace="default",
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        )
        answer = await client.workflow_service.describe_task_queue(request)
        told = {(each.deployment_options.deployment_name, each.deployment_options.build_id) for each in answer.pollers}
        assert told == {("segue", version("segue-server"))}
