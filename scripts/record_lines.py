"""Makes the recordings of content/<language>/recorded with the espeak voice.

Run it after a line that is recorded has changed: `python scripts/record_lines.py`.
"""

import asyncio
from pathlib import Path

import numpy as np
import soundfile

from eloquence.bootstrap.speech import speech
from eloquence.config import Settings
from eloquence.storage import content

RATE = 24_000


async def main() -> None:
    library = content.load()
    settings = Settings.model_validate({"tts": {"provider": "espeak"}})
    async with speech(settings) as parts:
        for language in content.LANGUAGES:
            folder = content.SHIPPED / language / "recorded"
            folder.mkdir(exist_ok=True)
            for number, line in enumerate(library.lines(language).voice_lost, start=1):
                async with parts.spoken(line, language) as spoken:
                    pcm = b"".join([piece async for piece in spoken.pieces])
                write(folder / f"voice_lost_{number}.ogg", np.frombuffer(pcm, "<i2"))


def write(path: Path, samples: np.ndarray) -> None:
    with soundfile.SoundFile(path, "w", RATE, 1, format="OGG", subtype="OPUS") as file:
        file.write(samples)


if __name__ == "__main__":
    asyncio.run(main())
