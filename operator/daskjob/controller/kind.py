"""What the controller machine needs from a kind of root object (a job, a cron job). It knows nothing else of a kind."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from prometheus_client.registry import Collector

from daskjob.api.resource import Resource
from daskjob.api.resource_json import to_dict
from daskjob.controller.cache import Cache, Keep, Key
from daskjob.controller.fair_queue import Urgency
from daskjob.controller.objects import Objects
from daskjob.errors import ApiError, SpecError
from daskjob.kube.client import Body, KubeClient
from daskjob.lifecycle.blocker import Blocker, blocker_of
from daskjob.lifecycle.event import Event
from daskjob.lifecycle.keeping import keep_any, rests


class Root(Protocol):
    """What the controller reads of a root object."""

    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def status(self) -> Any: ...


class AnyDecision(Protocol):
    """What the controller reads of a decision. The kind's own class says in which order it is carried out."""

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
    @property
    def keeps_refusal(self) -> bool: ...


R = TypeVar("R", bound=Root)
O = TypeVar("O")  # noqa: E741
D = TypeVar("D", bound=AnyDecision)
M = TypeVar("M")


@dataclass(frozen=True)
class Watched:
    """Objects that the operator watches and lists for a kind. `keeper`: what it keeps of an object that is as its
    schema says; `selector`: label selector; None: all of the resource; `settles`: whether a change, by what is kept of
    the object, is one of a burst that nobody waits for (`WorkQueue.add_changed`)."""

    resource: Resource
    keeper: Keep
    selector: str | None = None
    settles: Callable[[Body], bool] = lambda _: False

    def keep(self, body: Body) -> Body:
        """What the operator keeps of an object, whatever is in it (`keep_any`)."""
        return keep_any(self.keeper, body)


@dataclass
class PassState(Generic[M]):
    """What this process remembers of one root object between passes. Losing it costs a few requests, nothing else."""

    uid: str
    #: What the kind itself remembers.
    memory: M
    #: When this process last wrote the status; None: not yet.
    last_status_write: datetime | None = None
    #: When this process last did a live read of the object and all that belongs to it; None: not yet.
    last_live_read: datetime | None = None
    #: The last refusal of an action by the API server; a pass that carries out all its actions clears
    #: it, unless what was refused waits to be tried again.
    refusal: Blocker | None = None
    #: Keys of the events that this process posted, so that it posts every event once.
    posted: deque[str] = field(default_factory=lambda: deque(maxlen=100))


@dataclass(frozen=True)
class Look(Generic[R, M]):
    """What a kind builds an observation from. `objects`: all in the cache that belong to a root object of that name;
    `live`: whether a live read just updated them."""

    root: R
    objects: tuple[Body, ...]
    state: PassState[M]
    now: datetime
    live: bool


class Kind(ABC, Generic[R, O, D, M]):
    """A kind of root object. A new kind is a folder under `controllers/` and a line in `operator.main`."""

    #: The name of its work queue, in metrics and log lines.
    name: str
    root: Resource
    #: Ordered: a resync lists the root objects first, because a list of them may be behind that of their objects.
    watched: tuple[Watched, ...]
    #: Whether the operator fails if the API server does not know the root's resource; False: it runs without the kind.
    required: bool = True
    #: The longest pause before a next pass that a decision asks for; None: no limit.
    longest_pause: timedelta | None = None

    def __init__(self, client: KubeClient, clock: Callable[[], datetime]) -> None:
        self.client = client
        self.clock = clock
        keepers = {each.resource.kind: each.keep for each in self.watched}
        self.cache = Cache(self.root, self.owner_of, keepers, rests)
        self.objects = Objects(client, self.cache, clock)
        #: Queues the key of a root object for a pass. The controller sets it.
        self.wake: Callable[[Key], None] = lambda _: None
        #: For how many seconds the watches have missed nothing (`Watches.followed_for`); None: unknown. `operator.main`
        #: sets it.
        self.followed_for: Callable[[], float | None] = lambda: None

    @staticmethod
    @abstractmethod
    def owner_of(body: Body) -> Key | None:
        """The key of the root object that an object is, or belongs to; None: it belongs to none of this kind."""

    def urgency(self, key: Key) -> Urgency:
        """The class in which a key waits for its pass, by what the cache has. Cheap: it runs at every addition."""
        return Urgency.GOES_ON

    def arrived(self, body: Body) -> None:
        """Runs for each root object that a watch brings, before it is cut down to what is kept."""

    @abstractmethod
    def new_memory(self) -> M:
        """The kind's memory of a root object that this process has not observed yet."""

    @abstractmethod
    def read(self, body: Body) -> R:
        """Reads the root object from what is kept of it."""

    @abstractmethod
    async def observe(self, look: Look[R, M]) -> O:
        """Builds the observation. May read what the cache lacks from the API server. Raises ApiError."""

    @abstractmethod
    def decide(self, key: Key, observation: O) -> D:
        """Decides, without I/O and without an await."""

    @abstractmethod
    async def execute(self, action: Any, root: R, decision: D, state: PassState[M]) -> tuple[Event, ...]:
        """Carries out one action and returns the events to post about it. The controller may repeat an action without
        harm. Raises ApiError, SpecError."""

    def selector_of(self, root: R) -> str:
        """The label selector of all that belongs to a root object. Only a live read needs it."""
        raise NotImplementedError

    def is_part(self, body: Body, root: R) -> bool:
        """Whether a cached object belongs to the root object with that UID, and not to another of the same name."""
        raise NotImplementedError

    def passing(self, key: Key) -> AbstractContextManager[None]:
        """A context that every pass runs in."""
        return nullcontext()

    async def tidy(self, key: Key, body: Body | None) -> None:
        """Runs before every pass: deletes objects whose root object is gone. `body`: the root object; None: there is
        none."""

    async def document_of(self, root: R, status: Any) -> dict[str, Any]:
        """The JSON of a status that is about to be written, with all that is kept of it nowhere but on the API server.
        Raises ApiError."""
        document: dict[str, Any] = to_dict(status)
        return document

    def reduced(self, root: R, status: Any, error: ApiError) -> Any:
        """A status that the API server accepts, for one that it refused. Raises `error` if the kind has none."""
        raise error

    def not_recorded(self, root: R, error: ApiError) -> tuple[Event, ...]:
        """Events to post when the API server refuses the reduced status too: nothing else tells the user."""
        return ()

    def recorded(self, root: R, status: Any) -> None:
        """Runs after the write of a status: counts and logs the change. `root`: as it was before the write."""

    def blocker_of(self, error: ApiError | SpecError) -> Blocker | None:
        """The blocker to show the user when the API server refuses an action; None if a later try may succeed
        unchanged."""
        return blocker_of(error)

    def refused(self, root: R, action: Any, blocker: Blocker) -> tuple[Event, ...]:
        """Events to post about an action that the API server refused."""
        return ()

    def event_key(self, root: R, event: Event) -> str:
        """The identity of an event: the controller posts every key once, and the Event's name follows from it."""
        return f"{root.uid}/{event.reason}/{event.message}"

    def collectors(self) -> Iterable[Collector]:
        """Metrics that Prometheus' scrape computes."""
        return ()

    def details(self) -> dict[str, Any]:
        """What the answers to probes tell of this kind beside readiness."""
        return {}

    async def prepare(self) -> None:
        """Runs once before the first pass, when this process leads."""

    async def beside(self) -> None:
        """Runs beside the passes until cancelled."""
