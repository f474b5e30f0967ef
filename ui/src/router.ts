/** The address bar as state: which page, and every selection on it, so that any view can be shared as a link. */
import { signal } from "@preact/signals";

export interface Place {
  path: string;
  query: URLSearchParams;
}

export const place = signal<Place>(read());

function read(): Place {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

/** Goes to `address` (path and query of this origin). */
export function go(address: string, replace = false): void {
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  place.value = read();
}

/** The current address with some query values changed; null or "" removes one. */
export function having(changes: Record<string, string | null>): string {
  const query = new URLSearchParams(place.value.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  return place.value.path + (text ? `?${text}` : "");
}

/** Changes query values in place. */
export function select(changes: Record<string, string | null>, replace = false): void {
  go(having(changes), replace);
}

/** Makes links within the service change the page without loading it again. */
export function followLinks(): void {
  addEventListener("popstate", () => (place.value = read()));
  document.addEventListener("click", (event) => {
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    const link = (event.target as Element).closest?.("a[href]") as HTMLAnchorElement | null;
    if (!plain || event.defaultPrevented || !link || link.target || link.hasAttribute("download")) return;
    if (link.origin !== location.origin || link.pathname.startsWith("/api/")) return;
    event.preventDefault();
    if (link.pathname !== location.pathname) scrollTo(0, 0);
    go(link.pathname + link.search);
  });
}
