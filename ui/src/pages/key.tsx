/** What is shown without a key that the service accepts. */
import { useState } from "preact/hooks";
import { refused, useKey } from "../api.ts";

export function KeyPage() {
  const [text, setText] = useState("");
  return (
    <main class="notice">
      <h1>{refused.value ? "This key was not accepted" : "This page needs a key"}</h1>
      <p>
        {refused.value
          ? "The service may have been started anew with another one. "
          : "The service answers nobody without one. "}
        On the machine where it runs, in the folder you started it in:
      </p>
      <pre class="command">segue ui</pre>
      <p>It opens this page with the key. Or paste an API key:</p>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim()) useKey(text.trim());
        }}
      >
        <input
          type="password"
          autocomplete="off"
          aria-label="API key"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button class="primary" type="submit">
          Use this key
        </button>
      </form>
    </main>
  );
}
