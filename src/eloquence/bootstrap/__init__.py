"""The composition root: the one place that wires the rooms together."""

from eloquence.bootstrap.product import Eloquence, opened
from eloquence.bootstrap.stages import AUTOMATIC, BY_EAR, choices, choose, conductor, status

__all__ = ["AUTOMATIC", "BY_EAR", "Eloquence", "choices", "choose", "conductor", "opened", "status"]
