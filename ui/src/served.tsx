/** Who serves the queue that a step waits in: the commonest reason for waiting is that nobody does. */
import { api } from "./api.ts";
import { usePolled } from "./poll.ts";

export function Served({ queue }: { queue: string }) {
  const workers = usePolled(queue, (signal) => api.queues(queue, signal)).value.value?.queues[0]?.workers;
  if (!workers) return null;
  if (workers.length)
    return (
      <p class="muted" data-test="served">
        {workers.length === 1 ? "One worker serves" : `${workers.length} workers serve`} the queue {queue}: {workers.join(", ")}.
      </p>
    );
  return (
    <p class="banner" data-test="served">
      Nobody serves the queue {queue}. Start a worker: <code>segue worker --queue {queue}</code>
    </p>
  );
}
