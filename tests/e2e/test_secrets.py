"""A canary as a secret of a real run: its steps get it, and nothing that anybody keeps or shows has it, in any form."""

from __future__ import annotations

import base64
import json
import uuid
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from temporalio.client import Client as TemporalClient

from segue import Client
from tests.activities.service import running_service
from workers.stack import Stack

DEFINITION = """
segue: 1
name: canary
params: {url: {type: string}, looks_like_one: {type: string}}
on_failure: finish
defaults: {retry: {attempts: 2, delay: 100ms}}
steps:
  script:
    env: {T: "${{ secrets.CANARY }}", GIVEN: "${{ params.looks_like_one }}"}
    run: |
      echo "plain $T"; echo "$T" >&2; printf '%s' "$T" | base64; printf '%s' "user:$T" | base64
      printf '%s' "$T" | od -An -tx1 | tr -d ' \\n'; echo
      for i in $(seq 1 ${#T}); do printf '%s' "${T:i-1:1}"; done; echo
      set -x; : "$T"
      echo "length=${#T}" >> "$SEGUE_OUTPUT"; echo "given=$GIVEN" >> "$SEGUE_OUTPUT"
  function:
    python: m:prints
    with: {login: {password: "${{ secrets.CANARY }}", other: "${{ params.looks_like_one }}"}}
  raising: {python: "m:raises", with: {token: "${{ secrets.CANARY }}"}}
  ending: {run: 'echo "no access with $T" >&2; exit 3', env: {T: "x${{ secrets.CANARY }}"}}
  cut:
    run: printf 'n=%070d%s\\n' 0 "$T" >> "$SEGUE_OUTPUT"
    env: {T: "${{ secrets.CANARY }}"}
    output: {n: {type: boolean}}
  request:
    http:
      method: POST
      url: "${{ params.url }}/echo/${{ secrets.CANARY }}"
      headers: {X-Key: "Bearer ${{ secrets.PLAIN_CANARY }}"}
      params: {key: "${{ secrets.CANARY }}"}
      json: {password: "${{ secrets.CANARY }}"}
    output: {status: "${{ response.status }}"}
  refused:
    http: {url: "${{ params.url }}/echo/${{ secrets.CANARY }}?x=${{ secrets.CANARY }}", expect: 418}
  unreachable:
    http: {url: "http://127.0.0.1:1/${{ secrets.CANARY }}"}
  job:
    http:
      submit: {url: "${{ params.url }}/jobs", headers: {X-Key: "${{ secrets.PLAIN_CANARY }}"}}
      poll:
        url: "${{ submit.json.href }}?key=${{ secrets.CANARY }}"
        every: 50ms
        until: "${{ response.json.polls > 1 }}"
    output: {polls: "${{ response.json.polls }}"}
  query:
    uses: sql
    with: {url: "postgresql://u:${{ secrets.PLAIN_CANARY }}@127.0.0.1:1/x", sql: "SELECT 1"}
  wrong_query:
    uses: sql
    with: {url: "sqlite://", sql: "SELECT * FROM nothing WHERE k = :k", parameters: {k: "${{ secrets.CANARY }}"}}
  message:
    uses: notify
    with: {to: "json://u:${{ secrets.PLAIN_CANARY }}@127.0.0.1:1/", text: "token ${{ secrets.CANARY }}"}
  elsewhere:
    uses: ssh
    with: {host: 127.0.0.1, port: 1, user: "${{ secrets.PLAIN_CANARY }}", command: "true"}
    env: {T: "${{ secrets.CANARY }}"}
  missing: {run: echo, env: {T: "${{ secrets.NOT_THERE }}"}}
"""
CODE = """
import base64, json, os, urllib.parse
def prints(login):
    token = login['password']
    print(token, repr(token), json.dumps(token), urllib.parse.quote(token, safe=''), token.encode().hex())
    print(base64.urlsafe_b64encode(f'{login}'.encode()).decode())
    os.write(1, b'x' * 65_000 + token.encode() * 3 + b'y' * 65_000)
    return {'length': len(token), 'other': login['other']}
def raises(token):
    raise PermissionError('a' * 1400 + token + 'b' * 3000 + token)
"""
LOOKS_LIKE_ONE = "${{ secrets.CANARY }}"


def forms(canary: str) -> list[bytes]:
    """Return the forms of a canary that are looked for; of base64, what does not depend on the neighbours."""
    raw = canary.encode()
    encoded = [base64.b64encode(b"x" * before + raw)[-(-before * 4 // 3) :][:-4] for before in range(3)]
    texts = [canary, quote(canary, safe=""), quote(canary), json.dumps(canary)[1:-1], raw.hex(), repr(raw)[2:-1]]
    return [raw[:24], raw[-24:], *encoded, *(each.replace(b"+", b"-").replace(b"/", b"_") for each in encoded)] + [
        text.encode() for text in texts
    ]


@pytest.mark.timeout(180)
async def test_nothing_keeps_or_shows_a_secret(
    client: Client, stack: Stack, secrets_dir: Path, shared_cache: Path, tmp_path: Path
) -> None:
    canary = f"canary-{uuid.uuid4().hex}/+?&='\"é-{uuid.uuid4().hex}"
    plain = f"plain-{uuid.uuid4().hex}"
    (secrets_dir / "CANARY").write_text(canary + "\n", encoding="utf-8")
    (secrets_dir / "PLAIN_CANARY").write_text(plain)
    (tmp_path / "flow.yaml").write_text(DEFINITION)
    (tmp_path / "m.py").write_text(CODE)
    with running_service() as service:
        client.deploy(tmp_path / "flow.yaml")
        run = client.run("canary", params={"url": service.url, "looks_like_one": LOOKS_LIKE_ONE}).wait(120, check=False)
        sent = [request for request in service.requests if request["path"].startswith("/echo")]
    states = {step.key: step.state for step in run.steps}
    failed = {"raising", "ending", "cut", "refused", "unreachable", "missing"}
    failed |= {"query", "wrong_query", "message", "elsewhere"}
    assert states == {key: "failed" if key in failed else "succeeded" for key in states}
    # The steps have got them: else there would be nothing to hide.
    assert {"password": canary} in [json.loads(request["body"]) for request in sent if request["body"]]
    assert any(request["headers"].get("x-key") == f"Bearer {plain}" for request in sent)
    assert client.output(run.id, "script")["given"] == LOOKS_LIKE_ONE
    assert client.output(run.id, "function") == {"length": len(canary), "other": LOOKS_LIKE_ONE}
    [missing] = [step for step in run.steps if step.key == "missing"]
    assert missing.error is not None
    assert missing.error.type == "SecretMissing"
    assert "queue cpu" in missing.error.message
    assert len(missing.attempts) <= 1, "it is not tried again"

    kept = await everything(client, stack, shared_cache, run.id)
    assert any("***" in text.decode(errors="replace") for name, text in kept.items() if "/logs/" in name)
    looked_for = [form for each in (canary, plain) for form in forms(each)]
    found = [(name, form, around(form, text)) for name, text in kept.items() for form in looked_for if form in text]
    assert found == []
    assert len(kept) > 30


def around(form: bytes, text: bytes) -> bytes:
    at = text.find(form)
    return text[max(0, at - 100) : at + len(form) + 60]


async def everything(client: Client, stack: Stack, cache: Path, run: str) -> dict[str, bytes]:
    """Return all that is kept and shown of a run: history, database, objects, logs of the parts, answers."""
    found = {str(path): path.read_bytes() for path in stack.data.rglob("*") if path.is_file()}
    found |= {str(path): path.read_bytes() for path in (cache / "run").rglob("*") if path.is_file()}
    temporal = await TemporalClient.connect(str(stack.service["temporal_address"]))
    history = await temporal.get_workflow_handle(run).fetch_history()
    found |= {f"event {event.event_id}": event.SerializeToString() for event in history.events}
    found["the run"] = repr(client.get_run(run)).encode()
    key = {"Authorization": f"Bearer {stack.service['api_key']}"}
    with httpx.Client(base_url=f"{stack.service['api_url']}/api/v1", headers=key, timeout=30) as api:
        for path in ("workflows/canary", "workflows/canary/versions/1", "runs", f"runs/{run}", "vars", "health"):
            found[path] = api.get(f"/{path}").raise_for_status().content
        for step in [each.key for each in client.get_run(run).steps]:
            for part in ("logs", "files", "output"):
                found[f"{step} {part}"] = api.get(f"/runs/{run}/steps/{step}/{part}").content
    found["events"] = repr([*client.events(run)]).encode()
    return found
