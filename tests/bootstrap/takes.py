"""Conversations made by hand, as the store keeps them: one question and one long answer."""

from typing import Any

from eloquence.coaching.session import Session, SessionEnd, Turn
from eloquence.delivery.words import Word
from eloquence.storage.sessions import SqlSessionStore

SENTENCE = "je voudrais vous parler de la façon dont nous avons changé notre manière de travailler"
MONDAY = 1_700_000_000.0
DAY = 86_400.0


def spoken(start: float, sentences: int, pause: float = 2.4) -> tuple[Word, ...]:
    """Sentences at three words a second; after the sixth word of each comes a pause."""
    words, now = [], start
    for _ in range(sentences):
        for place, text in enumerate(SENTENCE.split()):
            ending = "." if place == 14 else ""
            words.append(Word(text + ending, now, now + 0.3, 0.9))
            now += 0.3 + (pause if place == 5 else 0.03)
        now += 0.6
    return tuple(words)


def answer(index: int, start: float, sentences: int = 8, pause: float = 2.4) -> Turn:
    words = spoken(start, sentences, pause)
    return Turn(
        index=index,
        speaker="learner",
        start=start,
        end=words[-1].end,
        text=" ".join(word.text for word in words),
        words=words,
    )


def question(index: int, start: float = 0.0, text: str = "Racontez-moi.") -> Turn:
    return Turn(index=index, speaker="character", start=start, end=start + 2, text=text)


def session(session_id: str, started_at: float = MONDAY, **changes: Any) -> Session:
    given = {
        "id": session_id,
        "exercise": "conversation_libre_marie",
        "scenario": "conversation",
        "character": "marie_coach",
        "language": "fr",
        "started_at": started_at,
        "stages": {"stt": "vosk", "llm": "script", "tts": "espeak"},
        "title": "Conversation Libre avec Marie",
    }
    return Session.model_validate({**given, **changes})


async def keep(
    store: SqlSessionStore, one: Session, *turns: Turn, ended: bool = True, learner: str = ""
) -> None:
    """Stores a session; without turns, of one question and one answer of about a minute."""
    said = turns or (question(0), answer(1, 3.0))
    await store.open(one, learner=learner)
    for turn in said:
        await store.append(one.id, turn)
    if ended:
        end = SessionEnd(status="complete", reason="learner", duration=said[-1].end + 1)
        await store.end(one.id, end)
