"""Secrets in tests of authors: those that a test gives, and placeholders."""

from __future__ import annotations

from segue.testing import Task, answers, run, runs

FLOW = """\
segue: 1
name: flow
steps:
  load:
    python: m:load
    with: {login: {password: "${{ secrets.PASSWORD }}"}}
    env: {HEADER: "Bearer ${{ secrets.TOKEN }}"}
  tell:
    http:
      submit: {url: "http://service/${{ secrets.TOKEN }}"}
      poll: {url: "${{ submit.json.href }}?k=${{ secrets.TOKEN }}", until: "${{ response.json.done }}"}
"""
PARENT = """\
segue: 1
name: parent
steps: {child: {workflow: flow}}
"""


def test_a_step_gets_the_secrets_that_the_test_gives_and_names_for_the_others() -> None:
    seen: list[Task] = []

    def look(task: Task) -> None:
        seen.append(task)

    told = answers({"done": True}, submit={"href": "http://service/1"})
    result = run(FLOW, steps={"load": look, "tell": told}, secrets={"TOKEN": "t0ken"})
    assert result.state == "succeeded"
    [task] = seen
    assert (task.inputs, task.env) == ({"login": {"password": "<secret PASSWORD>"}}, {"HEADER": "Bearer t0ken"})
    action = result.steps["tell"].action
    assert action["submit"]["url"] == "http://service/t0ken"
    assert action["poll"]["url"] == "${{ submit.json.href }}?k=t0ken"


def test_a_workflow_inside_another_has_the_same_secrets() -> None:
    told = answers({"done": True}, submit={"href": "http://service/1"})
    child = runs(FLOW, steps={"load": None, "tell": told})
    result = run(PARENT, steps={"child": child}, secrets={"PASSWORD": "hidden"})
    inner = result.steps["child"].run
    assert inner is not None
    assert inner.steps["load"].inputs == {"login": {"password": "hidden"}}
    assert inner.steps["load"].env == {"HEADER": "Bearer <secret TOKEN>"}
