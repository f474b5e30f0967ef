"""What things may be called, and how messages say so."""

from __future__ import annotations

import re

WORKFLOW_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
WORKFLOW_NAME_RULE = "a lower-case letter, then at most 62 lower-case letters, digits or -"
STEP_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
STEP_NAME_RULE = "a letter, then at most 62 letters, digits, _ or -"
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
VARIABLE_RULE = "a letter or _, then at most 62 letters, digits or _"
EVENT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._/-]{0,199}")
EVENT_RULE = "a letter, then letters, digits, . _ / or -"
