"""Google's recogniser, through LiveKit's plugin: `pip install 'eloquence[google]'`.

The learner's speech goes to Google while it is spoken, by default to its hosts in the European
Union. Google keeps nothing of it unless the project has joined its programme for data logging.
"""

import asyncio
import json
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from livekit.agents import stt as engine_stt
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from eloquence.conversation.faults import status_cause
from eloquence.conversation.stages import StageContext
from eloquence.errors import Cause, ConfigurationError
from eloquence.providers import _vendors
from eloquence.providers._hosts import Host, is_local
from eloquence.providers._utterances import RATE
from eloquence.providers._vendors import (
    address,
    chosen_model,
    needed,
    readiness,
    refusal,
    told,
)
from eloquence.registry import Provider, Readiness

LOCALES = {"fr": "fr-FR", "en": "en-US"}
_DEFAULT = "latest_long"
_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"


class Options(BaseModel):
    """`credentials_file` is the key of a service account, as JSON. `location` is where Google
    listens: `eu`, `us`, `global`, or a region for the models that need one. `endpoint` in its place
    is an address such as https://host:443, or http:// for a container on this machine, which needs
    no key; `certificates` is a file of those who vouch for it. `project` is needed for models of
    the second version, unless the key names it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    credentials_file: Path | None = None
    project: str = ""
    location: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] = "eu"
    endpoint: str = ""
    certificates: Path | None = None
    model: str = ""

    def host(self) -> Host:
        """Raises ConfigurationError for an address that is none, or is not encrypted."""
        key = None if _key(self) is None else SecretStr("in a file")
        if not self.endpoint:
            place = "" if self.location == "global" else f"{self.location}-"
            return Host(f"https://{place}speech.googleapis.com", key, _VARIABLE)
        url = address(self.endpoint, "")
        found = Host(url, key, _VARIABLE)
        if url.startswith("http:") and not is_local(found.name):
            raise ConfigurationError(
                "What is said would go over the network in the clear.",
                mend="Give an endpoint with https://.",
            )
        return found


def create(options: Options, context: StageContext) -> "engine_stt.STT[str]":
    ready = check(options, context.language)
    if not ready.ready:
        raise refusal("stt", "Google", ready)
    with needed("google"):
        from eloquence.providers._google import Recogniser
    return Recogniser(
        context.resources,
        *_reached(options),
        model=ready.model,
        project=options.project or _project(options),
        location=options.location,
        languages=LOCALES[context.language],
        detect_language=False,
        interim_results=True,
        punctuate=True,
        profanity_filter=False,
        enable_word_time_offsets=True,
        enable_word_confidence=True,
        enable_voice_activity_events=True,
        min_confidence_threshold=0.0,
        sample_rate=RATE,
    )


def check(options: Options, language: str) -> Readiness:
    try:
        host = options.host()
    except ConfigurationError as error:
        return Readiness(ready=False, detail=error.message, mend=error.mend)
    if options.credentials_file is not None and host.key is None:
        return Readiness(
            ready=False,
            detail="The key of the service account cannot be read.",
            mend=f"Set {_VARIABLE} to its JSON file.",
            leaves_machine="" if host.local else host.name,
        )
    model, note = chosen_model(options.model, _DEFAULT)
    return readiness("google", host, model, note)


async def probe(options: Options, language: str) -> Readiness:
    """Asks for the words of a tenth of a second of silence."""
    ready = check(options, language)
    if not ready.ready:
        return ready
    with needed("google"):
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import GoogleAuthError

        from eloquence.providers._google import asked, client
    host = options.host()
    why: Cause
    made = None
    try:
        async with asyncio.timeout(_vendors.PROBE_SECONDS):
            made = client(*_reached(options))
            await asked(made, LOCALES.get(language, language))
    except TimeoutError:
        why = "timeout"
    except ConnectionError:
        why = "unreachable"
    except GoogleAPICallError as error:
        why = status_cause(error.code or -1)
    except (OSError, ValueError, GoogleAuthError):
        why = "authentication"
    else:
        return ready
    finally:
        if made is not None:
            await made.transport.close()
    return told("stt", ready, host, why)


def _secure(host: Host) -> bool:
    return host.url.startswith("https:")


def _reached(options: Options) -> tuple[str, bool, str, str]:
    """Host and port, whether it is encrypted, and the paths of the key and of the certificates."""
    host = options.host()
    parts = urlsplit(host.url)
    where = f"{host.name}:{parts.port or (443 if _secure(host) else 80)}"
    file, trusted = options.credentials_file or "", options.certificates or ""
    return where, _secure(host), str(file), str(trusted)


def _key(options: Options) -> dict[str, object] | None:
    """What is written in the file of the key, None when there is none or it cannot be read."""
    if options.credentials_file is None:
        return None
    try:
        written = json.loads(options.credentials_file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    known = isinstance(written, dict) and written.get("type") == "service_account"
    return written if known else None


def _project(options: Options) -> str:
    return str((_key(options) or {}).get("project_id", ""))


stt = Provider(
    name="google",
    options=Options,
    create=create,
    check=check,
    languages=frozenset({"fr", "en"}),
    environment={"credentials_file": (_VARIABLE,), "model": ("STT_MODEL",)},
    probe=probe,
)
