"""One stretch of the character's speech: its text, its sound, and how much of it was heard."""

import itertools
import re
from dataclasses import dataclass, field

UTTERANCE = "eloquence.utterance"
"""Under this key every sound frame of the character carries its `Utterance`."""

_numbers = itertools.count(1)


@dataclass(slots=True, eq=False)
class Utterance:
    """Text and timing of one stretch of the character's speech.

    `timed` holds (text, start in seconds of its sound), word by word. `duration` is the length of
    the sound made so far; `complete` says that no more will come. The `…_at` are POSIX seconds.
    """

    id: str = field(default_factory=lambda: f"c{next(_numbers)}")
    text: str = ""
    timed: list[tuple[str, float]] = field(default_factory=list)
    duration: float = 0.0
    complete: bool = False
    made_at: float | None = None
    """When its first sound was made."""
    handed_at: float | None = None
    """When its first sound was handed to the transport."""
    started_at: float | None = None
    """When the listener began to hear it."""
    held: float = 0.0
    """Seconds for which it was held back after it had begun."""
    pcm: list[bytes] | None = None
    """Sound that was made and not yet given to the recording; None when nothing is recorded."""
    recorded: int = 0
    """Samples given to the recording."""

    def spread(self, clause: str, begins: float) -> None:
        """Gives word times to a clause whose sound lies between `begins` and `duration`, in
        proportion to the length of the words, for voices that give none."""
        pieces = re.findall(r"\s*\S+\s*", clause)
        letters = sum(map(len, pieces))
        at = begins
        for piece in pieces:
            self.timed.append((piece, at))
            at += (self.duration - begins) * len(piece) / letters

    def heard(self, position: float) -> str:
        """The words heard when `position` seconds of the sound were played."""
        if position <= 0:
            return ""
        if self.complete and position >= self.duration - 0.05:
            return self.text.strip()
        return "".join(text for text, start in self.timed if start < position).strip()
