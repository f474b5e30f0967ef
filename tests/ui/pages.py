"""A page under watch: what it did that no page of ours may do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from playwright.async_api import BrowserContext, Page

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});
"""

CUT = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE")
"""What the browser itself reports when the service is cut off."""


@dataclass
class Watch:
    """What a page did that it must not do."""

    origin: str
    faults: list[str] = field(default_factory=list)
    tolerated: tuple[str, ...] = ()
    """Parts of messages that a test brings about itself."""

    def over(self, page: Page) -> None:
        page.on("console", lambda message: self._note(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self._note(f"exception: {error}"))
        page.on("dialog", lambda dialog: self._note(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self._origin(request.url))

    def _origin(self, url: str) -> None:
        if not url.startswith((self.origin + "/", "blob:" + self.origin + "/")):
            self._note(f"request to another origin: {url}")

    def _note(self, fault: str) -> None:
        if not any(part in fault for part in self.tolerated):
            self.faults.append(fault)


@dataclass
class Opened:
    """A page under watch."""

    page: Page
    context: BrowserContext
    watch: Watch


OpenPage = Callable[..., Awaitable[Opened]]
