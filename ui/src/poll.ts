/** Asks again and again, and says how that goes. */
import { useSignal, type Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError } from "./api.ts";
import { pause, type Link } from "./stream.ts";

const EVERY_MS = 1_500;

export interface Polled<T> {
  value: Signal<T | null>;
  link: Signal<Link>;
  failure: Signal<ApiError | null>;
}

/** Calls `ask` at once, whenever `key` changes, and then every 1.5 s while the page can be seen. */
export function usePolled<T>(key: string, ask: (signal: AbortSignal) => Promise<T>): Polled<T> {
  const value = useSignal<T | null>(null);
  const link = useSignal<Link>("connecting");
  const failure = useSignal<ApiError | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    void (async () => {
      while (!stop.signal.aborted) {
        if (!document.hidden) await once(stop.signal);
        await pause(EVERY_MS, stop.signal);
      }
    })();
    const seen = () => !document.hidden && void once(stop.signal);
    document.addEventListener("visibilitychange", seen);
    return () => {
      stop.abort();
      document.removeEventListener("visibilitychange", seen);
    };

    async function once(signal: AbortSignal): Promise<void> {
      try {
        const answer = await ask(signal);
        if (signal.aborted) return;
        value.value = answer;
        failure.value = null;
        link.value = "live";
      } catch (error) {
        if (signal.aborted || !(error instanceof ApiError)) return;
        const final = error.status >= 400 && error.status < 500;
        failure.value = final ? error : null;
        link.value = final ? "closed" : "lost";
      }
    }
  }, [key]);
  return { value, link, failure };
}
