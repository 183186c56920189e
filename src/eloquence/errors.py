"""Every error that Eloquence raises on purpose, as one tree.

    EloquenceError                    code, retryable, mend
      ConfigurationError              the operator must change something
        DependencyNotFoundError       a package that a provider needs is not installed
        ProviderNotFoundError         no provider of that name for that stage
        PluginError                   a plugin could not be loaded, or failed
      ContentError                    an exercise or character file is wrong or absent
      RecordingError                  a recording cannot be read as sound
      LineError                       a line of input to be scored is not what it must be
      SessionError
        SessionCreationError          a conversation could not be prepared
        SessionStartError             a prepared conversation could not start
        AgentCreationError            the coach itself could not be made
        SessionNotFoundError          no stored session of that id
        MarkNotFoundError             its report has no such mark
        JudgementError                its content cannot be judged
        CapacityError                 this process carries as many conversations as it can
        SessionEndedError             it is over: nobody can join it any more
      AccessError
        AuthenticationError           nobody is signed in, or the key or token is not valid
          SignInError                 an OpenID Connect provider could not say who somebody is
        PermissionDeniedError         the account's role does not allow this
        AccountNotFoundError          no account, or no key, of that id
        FactNotFoundError             nothing of that id is remembered of the learner
        TooManyError                  too many requests or sessions: try again later
          SessionLiveError            one's own session is still live: go on with it, or end it
      ProviderError                   a stage failed: which one (class) and why (cause)
        SpeechToTextError
        LanguageModelError
        TextToSpeechError
      ModelError                      a speech model could not be fetched or is damaged
      TransportError
        LocalProtocolError            we broke the wire protocol
        RemoteProtocolError           the client broke the wire protocol
        ConnectionLostError
        RoomError                     the LiveKit server cannot be reached, or refuses
      StorageError                    the store could not be read or written
        LeaseLostError                another process holds the session now

`code` is stable and meant for machines; the message and `mend` are meant for people. A message
never holds what was said, nor a secret.
"""

from typing import ClassVar, Literal

Cause = Literal[
    "authentication",
    "rate_limit",
    "timeout",
    "unreachable",
    "bad_request",
    "bad_answer",
    "internal",
]

_RETRYABLE: frozenset[Cause] = frozenset({"rate_limit", "timeout", "unreachable", "internal"})


class EloquenceError(Exception):
    """Root of the tree. `mend` says what the reader can do about it, or is empty."""

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later without anybody changing anything."""
        return False

    def __str__(self) -> str:
        return f"{self.message} {self.mend}".rstrip()


class ConfigurationError(EloquenceError):
    code = "configuration"


class DependencyNotFoundError(ConfigurationError):
    code = "dependency_not_found"


class ProviderNotFoundError(ConfigurationError):
    code = "provider_not_found"


class PluginError(ConfigurationError):
    code = "plugin"


class ContentError(EloquenceError):
    code = "content"


class RecordingError(EloquenceError):
    code = "recording"


class LineError(EloquenceError):
    code = "line"


class SessionError(EloquenceError):
    code = "session"


class SessionCreationError(SessionError):
    code = "session_creation"


class SessionStartError(SessionError):
    code = "session_start"


class AgentCreationError(SessionError):
    code = "agent_creation"


class SessionNotFoundError(SessionError):
    code = "session_not_found"


class MarkNotFoundError(SessionError):
    code = "mark_not_found"


class JudgementError(SessionError):
    code = "judgement"


class CapacityError(SessionError):
    code = "capacity"

    @property
    def retryable(self) -> bool:
        return True


class SessionEndedError(SessionError):
    code = "session_ended"


class AccessError(EloquenceError):
    code = "access"


class AuthenticationError(AccessError):
    code = "authentication"


SignInFault = Literal["refused", "expired", "failed", "unreachable", "disabled"]


class SignInError(AuthenticationError):
    """`why` is what the page tells: the provider or the person `refused`, too much time has passed
    or another sign-in was begun since (`expired`), what the provider said is not to be believed
    (`failed`), it does not answer (`unreachable`), the account is `disabled`."""

    code = "sign_in"

    def __init__(self, message: str, *, why: SignInFault, mend: str = "") -> None:
        super().__init__(message, mend=mend)
        self.why: SignInFault = why


class PermissionDeniedError(AccessError):
    code = "permission_denied"


class AccountNotFoundError(AccessError):
    code = "account_not_found"


class FactNotFoundError(AccessError):
    code = "fact_not_found"


class TooManyError(AccessError):
    """`after` is how many seconds to wait before the next try."""

    code = "too_many"

    def __init__(self, message: str, *, after: float = 60.0, mend: str = "") -> None:
        super().__init__(message, mend=mend)
        self.after = after

    @property
    def retryable(self) -> bool:
        return True


class SessionLiveError(TooManyError):
    """`session` is the id of the session that is still live."""

    code = "session_live"

    def __init__(self, session: str) -> None:
        super().__init__(
            "Another session of yours is still live.", mend="Go on with that one, or end it."
        )
        self.session = session


class ProviderError(EloquenceError):
    """`after` is how many seconds the vendor asks to be left alone, when it says so."""

    code = "provider"

    def __init__(
        self, message: str, *, cause: Cause, mend: str = "", after: float | None = None
    ) -> None:
        super().__init__(message, mend=mend)
        self.cause: Cause = cause
        self.after = after

    @property
    def retryable(self) -> bool:
        return self.cause in _RETRYABLE


class SpeechToTextError(ProviderError):
    code = "stt"


class LanguageModelError(ProviderError):
    code = "llm"


class TextToSpeechError(ProviderError):
    code = "tts"


class ModelError(EloquenceError):
    code = "model"

    def __init__(self, message: str, *, mend: str = "", retryable: bool = False) -> None:
        super().__init__(message, mend=mend)
        self._retryable = retryable

    @property
    def retryable(self) -> bool:
        return self._retryable


class TransportError(EloquenceError):
    code = "transport"


class LocalProtocolError(TransportError):
    code = "local_protocol"


class RemoteProtocolError(TransportError):
    code = "remote_protocol"


class ConnectionLostError(TransportError):
    code = "connection_lost"

    @property
    def retryable(self) -> bool:
        return True


class RoomError(TransportError):
    code = "room"

    @property
    def retryable(self) -> bool:
        return True


class StorageError(EloquenceError):
    code = "storage"


class LeaseLostError(StorageError):
    code = "lease_lost"
