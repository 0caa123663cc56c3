"""What the controller machine asks of a kind of root object (a job, a cron job): the only thing that it knows of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from prometheus_client.registry import Collector

from daskjob.controller.cache import Cache, Key
from daskjob.controller.objects import Objects
from daskjob.errors import ApiError, SpecError
from daskjob.kube.client import Body, KubeClient
from daskjob.kube.resources import Resource
from daskjob.lifecycle.blocker import Blocker, blocker_of
from daskjob.lifecycle.event import Event


class Root(Protocol):
    """A root object as its kind reads it."""

    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def status(self) -> Any: ...


class AnyDecision(Protocol):
    """What every kind's decision has."""

    @property
    def status(self) -> Any: ...
    @property
    def actions(self) -> tuple[Any, ...]: ...
    @property
    def events(self) -> tuple[Event, ...]: ...
    @property
    def requeue_after(self) -> timedelta | None: ...
    @property
    def needs_live_read(self) -> bool: ...


R = TypeVar("R", bound=Root)
O = TypeVar("O")  # noqa: E741
D = TypeVar("D", bound=AnyDecision)
M = TypeVar("M")


@dataclass(frozen=True)
class Watched:
    """Objects that a kind watches and lists. `selector`: by label; None: all of the resource."""

    resource: Resource
    selector: str | None = None


@dataclass
class PassState(Generic[M]):
    """What this process remembers of one root object between passes. Losing it costs a little time, nothing else."""

    uid: str
    #: What the kind remembers besides.
    memory: M
    #: When this process last wrote the status; None: not yet.
    last_status_write: datetime | None = None
    #: When this process last asked the API server for all that belongs to the object; None: not yet.
    last_live_read: datetime | None = None
    #: What the API server refused in the last pass that was refused something; cleared by a pass that is not.
    refusal: Blocker | None = None
    #: Keys of events that were posted: an event that stays true is posted once.
    posted: deque[str] = field(default_factory=lambda: deque(maxlen=100))


@dataclass(frozen=True)
class Look(Generic[R, M]):
    """What an observation is made from. `objects`: all in the cache that belong to a root object of that name."""

    root: R
    objects: tuple[Body, ...]
    state: PassState[M]
    now: datetime
    live: bool


class Kind(ABC, Generic[R, O, D, M]):
    """A kind of root object. A new kind is a folder under `controllers/` and a line in `operator.main`."""

    #: Of its work queue and in metrics.
    name: str
    root: Resource
    #: In the order in which a resync lists them: the root first, since a list of it may be behind that of its objects.
    watched: tuple[Watched, ...]
    #: Whether the operator cannot do without: if not, it goes on where the API server does not know the resource.
    required: bool = True
    #: After so long the next pass comes, at the latest, where a decision asks for one.
    longest_pause: timedelta | None = None

    def __init__(self, client: KubeClient, clock: Callable[[], datetime]) -> None:
        self.client = client
        self.clock = clock
        self.cache = Cache(self.root, self.owner_of)
        self.objects = Objects(client, self.cache, clock)
        #: Called with the key of an object to look at, whatever the reason. The controller sets it.
        self.wake: Callable[[Key], None] = lambda _: None

    @staticmethod
    @abstractmethod
    def owner_of(body: Body) -> Key | None:
        """The root object that an object is, or belongs to; None if to none of this kind."""

    @abstractmethod
    def new_memory(self) -> M:
        """What the kind remembers of an object that it has not met."""

    @abstractmethod
    def read(self, body: Body) -> R:
        """The root object, typed."""

    @abstractmethod
    async def observe(self, look: Look[R, M]) -> O:
        """The observation. May ask the API server for what the cache lacks. Raises ApiError."""

    @abstractmethod
    def decide(self, key: Key, observation: O) -> D:
        """The pure decision, without an await in between."""

    @abstractmethod
    async def execute(self, action: Any, root: R, decision: D, state: PassState[M]) -> tuple[Event, ...]:
        """Carries one action out, and returns what is to be told of it. Repeating an action does no harm. Raises
        ApiError, SpecError."""

    def selector_of(self, root: R) -> str:
        """The label selector of all that belongs to a root object. Asked for by decisions that need a live read."""
        raise NotImplementedError

    def is_part(self, body: Body, root: R) -> bool:
        """Whether an object of the cache belongs to that very root object, and not to a namesake."""
        raise NotImplementedError

    def passing(self, key: Key) -> AbstractContextManager[None]:
        """Around each pass."""
        return nullcontext()

    async def tidy(self, key: Key, body: Body | None) -> None:
        """Before each pass: removes what belongs to no root object any more. `body`: None if there is none."""

    def reduced(self, root: R, status: Any, error: ApiError) -> Any:
        """A status that the API server takes, in place of one that it refused. Raises `error` if there is none."""
        raise error

    def recorded(self, root: R, status: Any) -> None:
        """After the write of a status: counts and logs what it says. `root`: as it was before."""

    def blocker_of(self, error: ApiError | SpecError) -> Blocker | None:
        """What to tell the user of an action that was refused; None for what passes by itself."""
        return blocker_of(error)

    def refused(self, root: R, action: Any, blocker: Blocker) -> tuple[Event, ...]:
        """What is to be told of an action that was refused, beside the status."""
        return ()

    def event_key(self, root: R, event: Event) -> str:
        """What makes an event one and the same: posted again under the same key, it leaves one Event."""
        return f"{root.uid}/{event.reason}/{event.message}"

    def collectors(self) -> Iterable[Collector]:
        """Metrics that are looked up when Prometheus asks."""
        return ()

    async def prepare(self) -> None:
        """Once, when this process leads, before the first pass."""

    async def beside(self) -> None:
        """Beside the passes, until cancelled."""
