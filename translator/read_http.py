"""Reads `http`: one request, or a remote job that is submitted, polled or called back from, and cancelled.

In the plan a request is `{"method", "url"}` with `headers`, `params`, `json` or `body`, and `expect` (a list of status
codes) where given; a poll is `{"url", "every", "until"}` with `fail_if` and `headers` where given; a callback is
`{}`, with `fail_if` where given. `until` and `fail_if` are templates of one expression.
"""

from __future__ import annotations

from typing import Any

from translator import keys
from translator.definition import CALLBACK, SECRETS, Use
from translator.diagnostics import Code
from translator.embedded import read_condition, read_template
from translator.fields import Fields
from translator.located import Node, Report
from workflows.templates import OPENING

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
DEFAULT_POLL_SECONDS = 10.0


class HttpReader:
    """Reads the `http` of one step.

    Args:
        step: What the step is called in messages.
        names: What its requests may speak of, without `submit` and `response`; what is made of the answers may speak
            of no secrets.
        uses: Gets its expressions.
        report: Gets the problems.
    """

    def __init__(self, step: str, names: frozenset[str], uses: list[Use], report: Report) -> None:
        self.step = step
        self.names = names
        self.kept = names - {SECRETS}
        self.uses = uses
        self.report = report

    def action(self, node: Node) -> tuple[dict[str, Any], frozenset[str]]:
        """Return the plan's action, and the names that the step's output may speak of."""
        found = Fields(node, self.report, f"http of {self.step}", keys.HTTP)
        job = [key for key in keys.JOB.known if found.has(key)]
        single = [key for key in keys.REQUEST.known if found.has(key)]
        if job and single:
            message = f'"{job[0]}" and "{single[0]}" do not go together'
            hint = 'a single request has "url"; a remote job has "submit", "poll" or "callback", and "cancel"'
            self.report.add(found.key(job[0]), Code.CONFLICT, message, hint)
            return {}, self.kept | {"submit", "response"}
        if job:
            return self._job(found), self.kept | {"submit", "response"}
        return {"request": self._request(found, self.names, "GET")}, self.kept | {"response"}

    def _job(self, found: Fields) -> dict[str, Any]:
        action: dict[str, Any] = {}
        submit = found.require("submit")
        if submit is not None:
            fields = Fields(submit, self.report, f"submit of {self.step}", keys.REQUEST)
            action["submit"] = self._submit(fields, found)
        if found.has("callback"):
            action["callback"] = self._callback(found)
        else:
            poll = found.require("poll", 'such as {url: ..., every: 15s, until: "${{ ... }}"}')
            if poll is not None:
                action["poll"] = self._poll(Fields(poll, self.report, f"poll of {self.step}", keys.POLL))
        cancel = found.get("cancel")
        if cancel is not None:
            fields = Fields(cancel, self.report, f"cancel of {self.step}", keys.REQUEST)
            action["cancel"] = self._request(fields, self.names | {"submit"}, "DELETE")
        return action

    def _submit(self, fields: Fields, job: Fields) -> dict[str, Any]:
        if not job.has("callback"):
            return self._request(fields, self.names, "POST")
        before = len(self.uses)
        request = self._request(fields, self.names | {CALLBACK}, "POST")
        paths = (path for use in self.uses[before:] for path in use.expression.references())
        if not any(path[0] == CALLBACK for path in paths):
            message = f"submit of {self.step} does not say where the service is to post"
            hint = 'give it the address, such as json: {notify: "${{ callback.url }}"}'
            self.report.add(job.key("submit"), Code.MISSING_KEY, message, hint)
        return request

    def _callback(self, found: Fields) -> dict[str, Any]:
        node = found.entries["callback"].value
        if found.has("poll"):
            hint = '"poll" asks the service until it is done, "callback" waits for it to say so'
            self.report.add(found.key("callback"), Code.CONFLICT, '"poll" and "callback" do not go together', hint)
        if isinstance(node.value, dict):
            fields = Fields(node, self.report, f"callback of {self.step}", keys.CALLBACK)
            return self._conditions(fields, ("fail_if",))
        if node.value is not True:
            hint = 'leave it out, or write callback: true, or callback: {fail_if: "${{ ... }}"}'
            self.report.add(node, Code.BAD_VALUE, '"callback" is neither true nor a mapping', hint)
        return {}

    def _request(self, found: Fields, names: frozenset[str], method: str) -> dict[str, Any]:
        request: dict[str, Any] = {"method": self._method(found) or method, "url": self._url(found, names)}
        for key in ("headers", "params"):
            values = self._texts(found, key, names)
            if values:
                request[key] = values
        if found.has("json") and found.has("body"):
            hint = '"json" sends a value as JSON, "body" sends text as it is'
            self.report.add(found.key("body"), Code.CONFLICT, '"json" and "body" do not go together', hint)
        elif found.has("json"):
            request["json"] = read_template(found.entries["json"].value, names, self.uses, self.report)
        elif found.text("body") is not None:
            request["body"] = read_template(found.entries["body"].value, names, self.uses, self.report)
        expect = self._expect(found)
        if expect:
            request["expect"] = expect
        return request

    def _method(self, found: Fields) -> str | None:
        node = found.get("method")
        if node is not None and isinstance(node.value, str) and node.value.upper() in METHODS:
            return node.value.upper()
        return found.choice("method", METHODS)

    def _url(self, found: Fields, names: frozenset[str]) -> str:
        node = found.require("url", 'such as "https://example.com/builds"')
        text = None if node is None else found.text_of("url", node)
        if node is None or text is None:
            return ""
        if not text.startswith(("http://", "https://", OPENING)):
            hint = "a URL starts with https:// or http://, or with an expression"
            self.report.add(node, Code.BAD_VALUE, f'"url" is "{text[:60]}", which is not a URL', hint)
        return str(read_template(node, names, self.uses, self.report))

    def _texts(self, found: Fields, key: str, names: frozenset[str]) -> dict[str, Any]:
        values = {}
        for name, node in found.named(key, "names to values").items():
            if isinstance(node.value, list | dict) or node.value is None:
                found.wrong(f"{key}.{name}", node, "text or a number")
            values[name] = read_template(node, names, self.uses, self.report)
        return values

    def _expect(self, found: Fields) -> list[int]:
        node = found.get("expect")
        if node is None:
            return []
        codes = []
        for item in node.items if isinstance(node.value, list) else [node]:
            if type(item.value) is int and 100 <= item.value <= 599:
                codes.append(item.value)
            else:
                message = '"expect" must be an HTTP status code, or a list of them'
                self.report.add(item, Code.BAD_VALUE, message, "such as 200 or [200, 404]")
        return sorted(set(codes))

    def _poll(self, found: Fields) -> dict[str, Any]:
        url_names = self.names | {"submit"}
        poll: dict[str, Any] = {"url": self._url(found, url_names)}
        poll["every"] = found.duration("every", least=0.05) or DEFAULT_POLL_SECONDS
        found.require("until", "when is the job done? such as \"${{ response.json.state == 'done' }}\"")
        poll |= self._conditions(found, ("until", "fail_if"))
        headers = self._texts(found, "headers", url_names)
        if headers:
            poll["headers"] = headers
        return poll

    def _conditions(self, found: Fields, names: tuple[str, ...]) -> dict[str, str]:
        conditions = {}
        for key in names:
            node = found.entries[key].value if found.has(key) else None
            if node is not None and node.value is not None:
                text = read_condition(node, key, self.kept | {"submit", "response"}, self.uses, self.report)
                conditions[key] = f"{OPENING} {text or 'true'} }}}}"
        return conditions
