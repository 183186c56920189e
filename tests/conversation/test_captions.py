"""What is shown of the learner's words while plugins take their time (PLG-01)."""

import asyncio
from dataclasses import dataclass, field

from eloquence.conversation.captions import UNREAD, Captions
from eloquence.conversation.hooks import NoHooks
from eloquence.protocol import Caption


@dataclass
class Slow(NoHooks):
    """A plugin that reads when it is let to."""

    reads: bool = True
    free: asyncio.Event = field(default_factory=asyncio.Event)
    read_so_far: int = 0

    async def read(self, text: str) -> str | None:
        await self.free.wait()
        self.read_so_far += 1
        return None if "secret" in text else text.upper()


def caption(turn: int, text: str, *, final: bool = False) -> Caption:
    return Caption(id=f"l{turn}", speaker="learner", text=text, final=final)


async def shown(hooks: Slow, *given: Caption) -> list[tuple[str, str, bool]]:
    """What reaches the page when all of it came while the plugin was busy with the first."""
    sent: asyncio.Queue[Caption] = asyncio.Queue()
    captions = Captions(hooks, sent.put_nowait)
    passing = asyncio.create_task(captions.pass_on())
    for one in given:
        captions.show(one)
        await asyncio.sleep(0)
    hooks.free.set()
    found: list[Caption] = []
    async with asyncio.timeout(10):
        while not found or found[-1].id != given[-1].id or not found[-1].final:
            found.append(await sent.get())
    passing.cancel()
    return [(one.id, one.text, one.final) for one in found]


async def test_the_last_words_of_every_turn_are_shown_however_many_captions_wait() -> None:
    turns = range(80)
    given = [
        one
        for turn in turns
        for one in (caption(turn, "et"), caption(turn, "et puis"), caption(turn, "fin", final=True))
    ]
    found = await shown(Slow(), *given)
    assert [turn for turn, _, final in found if final] == [f"l{turn}" for turn in turns]


async def test_the_latest_caption_of_a_turn_stands_for_those_before_it() -> None:
    hooks = Slow()
    parts = [caption(0, f"mot {number}") for number in range(200)]
    found = await shown(hooks, *parts, caption(0, "mots", final=True))
    assert found == [("l0", "MOT 0", False), ("l0", "MOTS", True)]
    assert hooks.read_so_far == 2


async def test_what_no_filter_could_look_at_is_not_shown() -> None:
    assert await shown(Slow(), caption(0, "secret", final=True)) == [("l0", UNREAD, True)]


async def test_nothing_overtakes_a_caption_that_is_being_read_when_the_plugins_leave() -> None:
    """A filter that is switched off meanwhile must not have a turn shown before the one before."""
    hooks = Slow()
    sent: asyncio.Queue[Caption] = asyncio.Queue()
    captions = Captions(hooks, sent.put_nowait)
    passing = asyncio.create_task(captions.pass_on())
    captions.show(caption(0, "un", final=True))
    await asyncio.sleep(0)
    hooks.reads = False
    captions.show(caption(1, "deux", final=True))
    assert sent.empty()
    hooks.free.set()
    async with asyncio.timeout(10):
        assert [(await sent.get()).text for _ in range(2)] == ["UN", "DEUX"]
    captions.show(caption(2, "trois", final=True))
    assert sent.get_nowait().text == "trois"
    passing.cancel()
