"""The speech services: each stage of a conversation for any program, over HTTP.

`stt` (`POST /transcribe`), `llm` (`POST /v1/chat/completions`) and `tts` (`POST /api/tts`) have a
module each, with the routes and `create_app`. Errors are problem details (RFC 9457) that name the
mend, with an `error` as OpenAI's clients read it. `GET /health` answers 200 when the service can
serve, else 503 with the reason; `GET /live` whenever the process is alive.
"""
