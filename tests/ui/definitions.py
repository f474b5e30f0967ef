"""The workflows that the browser tests run; shell steps alone, so they need no environment of their own."""

from __future__ import annotations

SCRIPT = "<script>window.hacked = 1</script>"
IMAGE = '<img src="x" onerror="window.hacked = 2">'
PIXELS = "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAEElEQVR4nGNQaHCAIAY4CwAz1AVBh3zDkQAAAABJRU5ErkJggg=="
"""A PNG, 3 wide and 2 high."""

BRANCHES = f"""
segue: 1
name: ui-branches
description: Two branches, of which one is skipped
params:
  gate: {{type: string}}
  quality: {{type: string, enum: [good, bad], default: good}}
  rows: {{type: integer, minimum: 1, default: 3}}
steps:
  collect:
    description: '{IMAGE}'
    run: |
      echo 'first line {SCRIPT}'
      echo 'said on the other stream' >&2
      while [ ! -e "$GATE/collect" ]; do sleep 0.05; done
      echo 'last line'
      echo '<h1>a report</h1>' > "$SEGUE_ARTIFACTS/report.html"
      echo '<svg xmlns="http://www.w3.org/2000/svg" onload="window.hacked = 3"/>' > "$SEGUE_ARTIFACTS/drawing.svg"
      echo '{PIXELS}' | base64 -d > "$SEGUE_ARTIFACTS/pixels.png"
      echo "quality=$QUALITY" >> "$SEGUE_OUTPUT"
      echo 'note={IMAGE}' >> "$SEGUE_OUTPUT"
    env: {{GATE: "${{{{ params.gate }}}}", QUALITY: "${{{{ params.quality }}}}"}}
  measure:
    needs: collect
    map: {{over: [2, 3, 4], as: n}}
    run: echo "square=$((N * N))" >> "$SEGUE_OUTPUT"
    env: {{N: "${{{{ n }}}}"}}
  release:
    needs: {{collect: "${{{{ output.quality == 'good' }}}}", measure: true}}
    run: |
      printf 'text=%s\\n' "$(printf 'x%.0s' $(seq 1 20000))" >> "$SEGUE_OUTPUT"
  notify:
    needs: {{collect: "${{{{ output.quality == 'bad' }}}}"}}
    run: echo told
output: {{quality: "${{{{ steps.collect.output.quality }}}}"}}
"""

FAILURE = """
segue: 1
name: ui-failure
steps:
  prepare: {run: echo ready}
  train:
    needs: prepare
    run: |
      echo 'reading the data'
      echo 'no rows: <b>nothing</b> to learn from' >&2
      exit 3
  release: {needs: train, run: echo released}
"""

LONELY = """
segue: 1
name: ui-lonely
steps:
  far: {run: 'true', queue: far-away}
"""

PEOPLE = """
segue: 1
name: ui-people
on_failure: hold
params:
  gate: {type: string}
steps:
  ask:
    approve: {form: {rollout: {type: integer, minimum: 1, default: 10}}}
  ship:
    needs: {ask: "${{ output.approved }}"}
    run: test -e "$GATE/ship" && echo "shipped to $ROLLOUT"
    env: {GATE: "${{ params.gate }}", ROLLOUT: "${{ steps.ask.output.rollout }}"}
finally:
  clean: {run: echo cleaned}
"""

WATCHED = """
segue: 1
name: ui-watched
params:
  gate: {type: string}
steps:
  train:
    run: |
      echo '::group::Set up'
      echo 'installing <b>much</b>'
      echo '::endgroup::'
      echo '::warning::few rows'
      for n in 1 2 3 4 5; do echo "::metric loss=0.$((9 - n)) step=$n"; done
      echo '::progress::3/10 epochs'
      while [ ! -e "$GATE/train" ]; do sleep 0.05; done
    env: {GATE: "${{ params.gate }}"}
"""
