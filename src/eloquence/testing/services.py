"""Fake services that really speak their protocols, well or badly: `eloquence chaos`, for tests."""

from eloquence.ops.chaos import MODES, Asked, Mode, Services, Word, tone

__all__ = ["MODES", "Asked", "Mode", "Services", "Word", "tone"]
