"""What a fault did, computed from what was heard. Pure functions of events; times in seconds on
CLOCK_MONOTONIC.

- *track back*: the sound track of a coach who was not there before is subscribed to;
- *sound back*: the first audible sound of such a coach, or, where the coach stayed, the first sound
  that begins after the fault;
- *next sentence*: the first sound that begins after a segment was announced that is new since the
  fault, which is the coach's next line and not the rest of the one that was broken off;
Seconds count from when sound is due: from the fault, or from the end of the sentence in which it
struck the learner; where a part was away, from when it was back.

- *resumed*: under the same session id, a further turn of the learner and a further one of the coach
  were stored after that sound, or the conversation came to its own end.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

Event = dict[str, Any]
Doing = Literal["speaking", "listening", "thinking", "waiting"]

_TOLD = 0.3
"""Seconds by which the lab may learn late that a learner has stopped speaking."""
SAME = 0.5
"""Share of the shorter of two turns of a speaker that may overlap before they are one turn that
was stored twice."""


@dataclass(frozen=True)
class Outcome:
    """What one session went through. Seconds count from the fault, or from `since`."""

    session: str
    doing: Doing
    """What the coach did when the fault came."""
    new_coach: bool
    track: float | None
    sound: float | None
    sentence: float | None
    gap: float | None
    """Seconds without sound around the fault, where the coach was speaking."""
    resumed: bool


@dataclass(frozen=True)
class Kept:
    """What the store has, compared with what the learner was told is stored."""

    acknowledged: int
    lost: int
    doubled: int
    holes: int


def live_sessions(events: Sequence[Event], at: float) -> dict[int, str]:
    """Which session each learner holds then."""
    live: dict[int, str] = {}
    for one in events:
        if one["t"] > at or "learner" not in one:
            continue
        if one["event"] == "message" and one["type"] == "ready":
            live[one["learner"]] = one["session"] or live.get(one["learner"], "")
        elif one["event"] in ("left", "asked") or (
            one["event"] == "message" and one["type"] == "ended"
        ):
            live.pop(one["learner"], None)
    return live


def of(events: Iterable[Event], session: str) -> list[Event]:
    """What was told of one session, in the order of time."""
    return sorted((one for one in events if one.get("session") == session), key=lambda e: e["t"])


def outcome(events: Sequence[Event], session: str, fault: float, since: float) -> Outcome:
    """What became of a session; seconds are counted from `since`."""
    told = of(events, session)
    before = [one for one in told if one["t"] <= fault]
    after = [one for one in told if one["t"] > fault]
    if before and doing(before) == "listening":
        said = [e["t"] for e in after if e["event"] == "spoken"][:1]
        since = max([since, *said])
    known = {one["identity"] for one in before if one["event"] in ("coach", "track")}
    tracks = [e for e in after if e["event"] == "track" and e["identity"] not in known]
    sounds = [e for e in after if e["event"] == "sound"]
    segments = [e for e in after if e["event"] == "message" and e["type"] == "segment_start"]
    new = [e for e in sounds if e["identity"] not in known]
    if tracks and new and since == fault:
        since = _courteous(after, tracks[0]["t"], new[0]["t"], since)
    back = (new or (sounds if not tracks else []))[:1]
    if since > fault and not new:
        sounds = [e for e in sounds if e["t"] > since]
        segments = [e for e in segments if e["t"] > since]
        back = sounds[:1]
    lines = [e for e in new or sounds if segments and e["t"] >= segments[0]["t"] - 0.1][:1]
    if new and not lines:
        lines = new[:1]  # a coach who was not there has nothing to finish
    resumed = bool(back) and all(
        any(
            e["event"] == "message"
            and e["type"] == "turn_stored"
            and e["speaker"] == speaker
            and e["t"] > max(back[0]["t"], since)
            for e in after
        )
        for speaker in ("learner", "character")
    )
    return Outcome(
        session=session,
        doing=doing(before),
        new_coach=bool(tracks),
        track=_since(tracks, since),
        sound=_since(back, since),
        sentence=_since(lines, since),
        gap=_gap(told, fault),
        resumed=(resumed or _completed(after))
        and not any(e["event"] == "left" and e["why"] != "ended" for e in after)
        and all(e.get("names", session) == session for e in after),
    )


def _courteous(after: Sequence[Event], track: float, sound: float, since: float) -> float:
    """When the coach may speak: a learner who began to while the coach was away, and whom the new
    one found speaking, is heard out first."""
    begun = [e["t"] for e in after if e["event"] == "speak" and e["t"] < track]
    ended = [e["t"] for e in after if e["event"] == "spoken" and e["t"] > track]
    heard_out = begun and ended and ended[0] <= sound + _TOLD
    return min(ended[0], sound) if heard_out else since


def _completed(after: Sequence[Event]) -> bool:
    """Whether the conversation came to its own end."""
    return any(
        e["event"] == "message"
        and e["type"] == "ended"
        and (e["status"], e["reason"]) in (("complete", "script"), ("complete", "duration"))
        for e in after
    )


def doing(before: Sequence[Event]) -> Doing:
    """What the coach does after these events: speaks, hears the learner, finds an answer, waits."""
    for one in reversed(before):
        match one["event"]:
            case "sound":
                return "speaking"
            case "speak":
                return "listening"
            case "spoken":
                return "thinking"
            case "silence":
                return "waiting"
    return "waiting"


def _since(found: Sequence[Event], since: float) -> float | None:
    return max(0.0, found[0]["t"] - since) if found else None


def _gap(told: Sequence[Event], fault: float) -> float | None:
    """From the last sound before, or shortly after, the fault to the next one."""
    last = [e for e in told if e["event"] in ("sound", "silence") and e["t"] <= fault]
    if not last or last[-1]["event"] != "sound":
        return None
    ends = [e["t"] for e in told if e["event"] == "silence" and e["t"] > fault][:1]
    begins = [e["t"] for e in told if e["event"] == "sound" and ends and e["t"] > ends[0]][:1]
    return begins[0] - ends[0] if begins else None


def together(events: Sequence[Event], session: str, after: float) -> float:
    """Seconds for which two coaches were audible at once."""
    spans: dict[str, list[tuple[float, float]]] = {}
    began: dict[str, float] = {}
    for one in of(events, session):
        if one["event"] == "sound":
            began[one["identity"]] = one["t"]
        elif one["event"] == "silence" and one["identity"] in began:
            spans.setdefault(one["identity"], []).append((began.pop(one["identity"]), one["t"]))
    names = sorted(spans)
    return sum(
        max(0.0, min(a[1], b[1]) - max(a[0], b[0], after))
        for index, name in enumerate(names)
        for other in names[index + 1 :]
        for a in spans[name]
        for b in spans[other]
    )


def kept(
    events: Sequence[Event], session: str, stored: Sequence[tuple[int, str, float, float]]
) -> Kept:
    """Compares the acknowledged turns with the store's (index, speaker, start, end)."""
    told = {
        (one["index"], one["speaker"])
        for one in of(events, session)
        if one["event"] == "message" and one["type"] == "turn_stored"
    }
    there = [(index, speaker) for index, speaker, _, _ in stored]
    indexes = sorted(index for index, _ in there)
    doubled = len(indexes) - len(set(indexes))
    for speaker in ("learner", "character"):
        own = sorted((start, end) for _, who, start, end in stored if who == speaker)
        for (a, b), (c, d) in pairwise(own):
            shorter = min(b - a, d - c)
            doubled += shorter > 0 and min(b, d) - c > SAME * shorter
    return Kept(
        acknowledged=len(told),
        lost=len(told - set(there)),
        doubled=doubled,
        holes=len(set(range(len(indexes))) - set(indexes)),
    )


def backlog(events: Sequence[Event], session: str, since: float) -> float | None:
    """Seconds after `since` when everything said before it had been acknowledged."""
    told = [one for one in of(events, session) if one["event"] == "message"]
    said = sum(1 for e in told if e["type"] == "caption" and e["t"] <= since)
    stored = [e["t"] for e in told if e["type"] == "turn_stored"]
    return max(0.0, stored[said - 1] - since) if 0 < said <= len(stored) else None


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def at_least(good: int, of_all: int, confidence: float = 0.95) -> float:
    """The lower Clopper-Pearson bound (one-sided) of a share: with no failure of n, the share
    whose n-th power is 1 - confidence."""
    if good == 0:
        return 0.0
    low, high = 0.0, good / of_all
    for _ in range(60):
        middle = (low + high) / 2
        # Probability of so many or more, were the share `middle`.
        more = sum(
            math.comb(of_all, k) * middle**k * (1 - middle) ** (of_all - k)
            for k in range(good, of_all + 1)
        )
        low, high = (middle, high) if more < 1 - confidence else (low, middle)
    return low
