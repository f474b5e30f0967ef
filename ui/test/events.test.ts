import assert from "node:assert/strict";
import { test } from "node:test";
import { EventParser } from "../src/events.ts";

test("an event is given once it is whole, however it is cut", () => {
  const text = ': hello\n\nid: 7\nevent: step\ndata: {"a":1}\n\nevent: end\ndata: {}\n\n';
  for (let size = 1; size <= text.length; size++) {
    const parser = new EventParser();
    const events = [];
    for (let i = 0; i < text.length; i += size) events.push(...parser.push(text.slice(i, i + size)));
    assert.deepEqual(events, [
      { id: "7", name: "step", data: '{"a":1}' },
      { id: null, name: "end", data: "{}" },
    ]);
  }
});

test("several data lines are one text and CRLF is a line's end", () => {
  assert.deepEqual(new EventParser().push("data: a\r\ndata:b\r\n\r\n"), [{ id: null, name: "message", data: "a\nb" }]);
});
