"""Eloquence: a real-time voice coach, French first."""

import os

__version__ = "0.1.0"

# The library that runs the pitch and voice models keeps a device id and reports its use to its
# vendor, from the moment it is imported. Nothing leaves this machine that nobody chose.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
