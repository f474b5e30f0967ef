"""Whether this machine lets bubblewrap make sandboxes, for the tests that want one.

Where bubblewrap is missing they fail, since it can be installed; where the machine forbids namespaces they are skipped.
"""

from __future__ import annotations

import shutil
import subprocess

import pytest

TRY = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "--", "true"]


def _forbidden() -> bool:
    return shutil.which(TRY[0]) is not None and subprocess.run(TRY, capture_output=True, check=False).returncode != 0


wants_sandboxes = pytest.mark.skipif(_forbidden(), reason="NO SANDBOX: this machine forbids namespaces")
