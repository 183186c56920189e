"""Eloquence: a real-time voice coach, French first."""

__version__ = "0.1.0"
