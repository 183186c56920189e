"""The speech services: each stage of a conversation for any program, over HTTP.

`stt` (`POST /transcribe`, `POST /v1/audio/transcriptions`, and a socket that speaks vosk-server's
protocol), `llm` (`POST /v1/chat/completions`) and `tts` (`POST /api/tts`, `POST /v1/audio/speech`)
have a module each, with the routes and `create_app`; `mounted` has them all beside the page. Errors
are problem details (RFC 9457) that name the mend, with an `error` as OpenAI's clients read it.
`GET /health` answers 200 when the service can serve, else 503 with the reason; `GET /live` whenever
the process is alive.
"""
