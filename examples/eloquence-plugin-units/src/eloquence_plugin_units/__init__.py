"""Has the coach say units in full (« 5 km » as « 5 kilomètres »), and counts questions.

One hook changes what is said and is waited for; the other one only listens.
"""

import re

from eloquence.plugins import Context, Options, Plugin

UNITS = {
    "fr": {"km": "kilomètres", "kg": "kilos", "h": "heures", "min": "minutes", "€": "euros"},
    "en": {"km": "kilometres", "kg": "kilos", "h": "hours", "min": "minutes", "€": "euros"},
}


class Wishes(Options):
    """`more`: further units, as `{"ha": "hectares"}`."""

    more: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it for each object


class Units:
    def __init__(self, wishes: Wishes) -> None:
        self._more = wishes.more

    def coach_turn(self, text: str, context: Context) -> str | None:
        units = {**UNITS[context.language], **self._more}
        known = "|".join(map(re.escape, sorted(units, key=len, reverse=True)))
        said = re.sub(rf"(\d)\s?({known})(?!\w)", lambda one: f"{one[1]} {units[one[2]]}", text)
        return None if said == text else said

    def learner_turn(self, text: str, context: Context) -> None:
        context.count("questions", text.count("?"))


plugin = Plugin(
    name="units",
    create=Units,
    options=Wishes,
    takes=frozenset({"learner_turn"}),
    changes=frozenset({"coach_turn"}),
    languages=frozenset(UNITS),
)
