"""The providers of one stage of one conversation, in the order in which they are asked."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from eloquence.conversation.fallback.breaker import Breaker
from eloquence.conversation.faults import cause_of, retry_after
from eloquence.errors import Cause
from eloquence.protocol import StageStatus
from eloquence.registry import Stage

log = logging.getLogger("eloquence.fallback")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Link(Generic[S]):
    """One provider in a chain: its engine object, made for the conversation, and the breaker that
    all conversations of the process share."""

    name: str
    stage: S
    breaker: Breaker
    status: StageStatus
    """How the page shows it."""
    last: bool = False
    """Whether it stays on this machine and was added by the product, to be there when all that was
    chosen fail."""
    loading: float = 0.0
    """Seconds that it may take more when it is first asked, to load what it needs."""


@dataclass(frozen=True, slots=True)
class Switch:
    """A stage is served by another provider from now on; `cause` is why the one before was left,
    None when a provider that had failed serves again."""

    stage: Stage
    status: StageStatus
    cause: Cause | None


@dataclass(slots=True)
class Chain(Generic[S]):
    """Providers of a stage, best first; the first one is the one that was chosen. `switched` is
    told when another one serves than before."""

    stage: Stage
    links: Sequence[Link[S]]
    switched: Callable[[Switch], None] = lambda switch: None
    serving: Link[S] = field(init=False)
    """Who served last."""

    def __post_init__(self) -> None:
        self.serving = self.links[0]

    def admitted(self) -> Iterator[Link[S]]:
        """Whoever may be asked now, in order; the last one always, as somebody must. Each link is
        admitted by its breaker at the moment in which it is asked for."""
        for link in self.links:
            if link is self.links[-1] or link.breaker.admits():
                yield link

    def succeeded(self, link: Link[S]) -> None:
        """The provider served."""
        link.breaker.succeeded()
        if link is not self.serving:
            returned = self.links.index(link) < self.links.index(self.serving)
            cause = None if returned else self.serving.breaker.cause
            self.serving = link
            log.warning("stage %s is served by %s (%s)", self.stage, link.name, cause or "again")
            self.switched(Switch(self.stage, link.status, cause))

    def failed(self, link: Link[S], error: BaseException) -> Cause:
        """The provider did not serve; tells why. What its client said of it is not logged: it may
        quote what was said."""
        cause = cause_of(error)
        link.breaker.failed(cause, retry_after(error))
        log.warning("stage %s: %s failed (%s)", self.stage, link.name, cause)
        return cause
