"""LiveKit's plugin for Azure's voices, as it is used here: with deadlines, over the session of the
process, and with the text escaped, which the plugin puts into its markup as it is."""

from typing import Any
from xml.sax.saxutils import escape

import aiohttp
from livekit.agents import APIConnectOptions, tts
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.plugins import azure
from livekit.plugins.azure.tts import ChunkedStream, ProsodyConfig

from eloquence.conversation.stages import Resources
from eloquence.providers._spoken_in_time import spoken_in_time
from eloquence.providers._vendors import session
from eloquence.providers.openai import SpeakingOptions

Prosody = ProsodyConfig


class Speaker(azure.TTS):
    """The plugin's engine; `given` is what its constructor takes."""

    def __init__(self, options: SpeakingOptions, resources: Resources, **given: Any) -> None:
        super().__init__(**given)
        self.options = options
        self._resources = resources

    @property
    def model(self) -> str:
        return self._opts.voice

    def _ensure_session(self) -> aiohttp.ClientSession:
        return session(self._resources, sound=True)

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> "SpokenSentence":
        return SpokenSentence(tts=self, input_text=text, conn_options=conn_options)


class SpokenSentence(ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        assert isinstance(self._tts, Speaker)
        await spoken_in_time(super()._run, output_emitter, self._tts.options)

    def _build_ssml(self) -> str:
        written = self._input_text
        self._input_text = escape(written)
        try:
            return super()._build_ssml()
        finally:
            self._input_text = written
