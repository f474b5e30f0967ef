"""The import path of a child process that runs a user's code: `segue`, and nothing else of ours.

Segue may be installed in an environment full of the service's own packages (`api`, `workers`, pydantic ...). A child
must see none of them, so it gets a folder on its path that holds one link, `segue`, to this package.

Never imports anything outside the standard library.
"""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
"""The folder of the installed `segue` package."""


def isolated(cache_dir: Path) -> Path:
    """Return a folder that holds only `segue`, a link to the installed package; made when it is not there.

    Safe when several processes ask at once. The folder's name follows the package's place, so two installations of
    Segue may share one cache.

    Args:
        cache_dir: Where such folders are kept; made when missing.

    Raises:
        OSError: The folder or the link cannot be made.
    """
    place = hashlib.sha256(os.fsencode(PACKAGE)).hexdigest()[:16]
    folder = cache_dir.absolute() / "path" / place
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "segue"
    if not _points_here(link):
        _replace(link)
    return folder


def _points_here(link: Path) -> bool:
    return link.is_symlink() and link.readlink() == PACKAGE


def _replace(link: Path) -> None:
    # Made under another name, then renamed: nobody ever finds the folder without its link.
    fresh = link.with_name(f".segue-{os.getpid()}-{threading.get_ident()}")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(PACKAGE, target_is_directory=True)
    fresh.replace(link)
