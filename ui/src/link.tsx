/** Says whether what the page shows is up to date. */
import type { Link } from "./stream.ts";

/** `live` in quiet words; a banner as soon as the service is lost. */
export function LinkMark({ link }: { link: Link }) {
  const words = { connecting: "connecting", live: "live", lost: "reconnecting", closed: "" }[link];
  return (
    <span class={`link ${link}`} role="status" data-link={link}>
      {words}
    </span>
  );
}

export function LostBanner({ link }: { link: Link }) {
  if (link !== "lost") return null;
  return (
    <p class="banner" role="alert">
      Reconnecting: the service does not answer. What you see is the last that was known; runs go on without this page.
    </p>
  );
}
