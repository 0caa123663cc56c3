"""The order in which waiting keys are taken: the more urgent first, namespaces in turn, and no class never."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from enum import IntEnum

from daskjob.controller.cache import Key

#: So many keys of more urgent classes are taken before one of a class that waits meanwhile.
PATIENCE = 8


class Urgency(IntEnum):
    """The class of a key that waits for a pass: a lower one goes first."""

    #: Something has ended, and its pass records that.
    ENDS = 0
    #: The pass removes what is left of something that has ended.
    CLEANS_UP = 1
    #: Something runs, and its pass records how far it is.
    GOES_ON = 2
    #: The pass starts something for which there is room.
    STARTS = 3
    #: Something is new, or waits until there is room; its pass finds out.
    BEGINS = 4
    #: Nothing is left to do.
    RESTS = 5


class FairQueue:
    """Keys that wait, each once. Every operation takes constant time, however many wait.

    Within a class namespaces take turns, and within a namespace the key that has waited longest goes first. If a class
    has been passed over `PATIENCE` times in a row, one of its keys goes first, so that ends which keep coming do not
    keep beginnings from going on.
    """

    def __init__(self) -> None:
        #: The class in which a key waits.
        self._class_of: dict[Key, Urgency] = {}
        #: For each class: the namespaces in the order of their turns, each with its keys in the order of their arrival.
        self._classes: dict[Urgency, OrderedDict[str, OrderedDict[Key, None]]] = {
            each: OrderedDict() for each in Urgency
        }
        #: How many keys of more urgent classes were taken since a key of this class was, while one waited.
        self._passed_over = dict.fromkeys(Urgency, 0)

    def __len__(self) -> int:
        return len(self._class_of)

    def __contains__(self, key: object) -> bool:
        return key in self._class_of

    def add(self, key: Key, urgency: Urgency) -> None:
        """Adds a key. One that waits already moves to the end of the class, if that is more urgent than its own."""
        known = self._class_of.get(key)
        if known is not None:
            if known <= urgency:
                return
            self._remove(key, known)
        self._class_of[key] = urgency
        self._classes[urgency].setdefault(key[0], OrderedDict())[key] = None

    def waits(self, classes: Iterable[Urgency] = Urgency) -> bool:
        """Whether a key of one of these classes waits."""
        return any(self._classes[each] for each in classes)

    def take(self, classes: Iterable[Urgency] = Urgency) -> tuple[Key, Urgency]:
        """Removes and returns the next key of these classes, and its class. Raises IndexError if none waits."""
        waiting = [each for each in sorted(classes) if self._classes[each]]
        if not waiting:
            raise IndexError("no key waits")
        impatient = [each for each in waiting if self._passed_over[each] >= PATIENCE]
        taken = impatient[0] if impatient else waiting[0]
        self._passed_over[taken] = 0
        for each in waiting:
            if each > taken:
                self._passed_over[each] += 1
        namespaces = self._classes[taken]
        namespace, keys = namespaces.popitem(last=False)
        key, _ = keys.popitem(last=False)
        if keys:
            namespaces[namespace] = keys
        del self._class_of[key]
        return key, taken

    def _remove(self, key: Key, urgency: Urgency) -> None:
        namespaces = self._classes[urgency]
        del namespaces[key[0]][key]
        if not namespaces[key[0]]:
            del namespaces[key[0]]
