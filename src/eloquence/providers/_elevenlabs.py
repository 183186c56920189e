"""LiveKit's plugin for ElevenLabs, as it is used here: one request for each sentence, with
deadlines, over the session of the process."""

from typing import Any

import aiohttp
from livekit.agents import APIConnectOptions, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.plugins import elevenlabs
from livekit.plugins.elevenlabs.tts import ChunkedStream

from eloquence.conversation.stages import Resources
from eloquence.providers._spoken_in_time import spoken_in_time
from eloquence.providers._vendors import session
from eloquence.providers.openai import SpeakingOptions

VoiceSettings = elevenlabs.VoiceSettings


class Speaker(elevenlabs.TTS):
    """The plugin's engine; `given` is what its constructor takes."""

    def __init__(self, options: SpeakingOptions, resources: Resources, **given: Any) -> None:
        super().__init__(**given)
        self.options = options
        self._resources = resources

    def _ensure_session(self) -> aiohttp.ClientSession:
        return session(self._resources, sound=True)

    def prewarm(self) -> None:
        """Nothing: the plugin would open a socket that is not used here."""

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> "SpokenSentence":
        return SpokenSentence(tts=self, input_text=text, conn_options=conn_options)


class SpokenSentence(ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        assert isinstance(self._tts, Speaker)
        await spoken_in_time(super()._run, output_emitter, self._tts.options)
