/** Starts the page: the key, the address, the frame around every page. */
import "./style.css";
import { render } from "preact";
import { findKey, key } from "./api.ts";
import { KeyPage } from "./pages/key.tsx";
import { RunPage } from "./pages/run.tsx";
import { RunsPage } from "./pages/runs.tsx";
import { WorkflowPage } from "./pages/workflow.tsx";
import { WorkflowsPage } from "./pages/workflows.tsx";
import { followLinks, place } from "./router.ts";

function Page() {
  const [, room, name] = place.value.path.split("/").map(decodeURIComponent);
  if (key.value === null) return <KeyPage />;
  if (!room || (room === "runs" && !name)) return <RunsPage />;
  if (room === "runs") return <RunPage key={name} id={name} />;
  if (room === "workflows" && !name) return <WorkflowsPage />;
  if (room === "workflows") return <WorkflowPage key={name} name={name} />;
  return (
    <main class="notice">
      <h1>No such page</h1>
      <p>
        Go to the <a href="/">list of runs</a>.
      </p>
    </main>
  );
}

function App() {
  const { path } = place.value;
  const here = (on: boolean) => (on ? "page" : undefined);
  return (
    <>
      <header class="top">
        <a class="brand" href="/">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <path d="M7 10h6c7 0 3 12 10 12h2" />
            <circle cx="7" cy="10" r="3.5" />
            <circle cx="25" cy="22" r="3.5" />
          </svg>
          Segue
        </a>
        <nav aria-label="Main">
          <a href="/" aria-current={here(path === "/" || path.startsWith("/runs"))}>
            Runs
          </a>
          <a href="/workflows" aria-current={here(path.startsWith("/workflows"))}>
            Workflows
          </a>
        </nav>
      </header>
      <Page />
    </>
  );
}

findKey();
// A fresh `segue ui` in a tab that is already open changes the fragment alone.
addEventListener("hashchange", findKey);
followLinks();
render(<App />, document.getElementById("app")!);
