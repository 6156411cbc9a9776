"""Settings of all tests."""

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True)  # the same examples every time: a change is red for its own sake
if os.environ.get("CI"):
    settings.load_profile("ci")
