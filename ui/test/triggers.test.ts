import assert from "node:assert/strict";
import { test } from "node:test";
import { triggerText } from "../src/triggers.ts";

test("a trigger is one line of words", () => {
  const lines: [Parameters<typeof triggerText>[0], string][] = [
    [{ kind: "schedule", spec: { cron: "0 6 * * MON", timezone: "Europe/Paris" } }, "schedule 0 6 * * MON Europe/Paris"],
    [{ kind: "schedule", cron: "0 6 * * *" }, "schedule 0 6 * * *"],
    [{ kind: "schedule", every: { months: 1 }, start: "2025-01-31" }, "schedule every month from 2025-01-31"],
    [{ kind: "schedule", every: { months: 5 }, timezone: "Europe/Paris" }, "schedule every 5 months Europe/Paris"],
    [{ kind: "schedule", every: { seconds: 5400 } }, "schedule every 90m"],
    [{ kind: "schedule", every: { seconds: 1.5 } }, "schedule every 1.5s"],
    [{ kind: "event", name: "data.ready" }, "event data.ready"],
    [
      { kind: "event", spec: { name: "data", if: "event.rows > 5", debounce: 600 } },
      "event data if event.rows > 5 after 10m of quiet",
    ],
  ];
  for (const [trigger, text] of lines) assert.equal(triggerText(trigger), text);
});
