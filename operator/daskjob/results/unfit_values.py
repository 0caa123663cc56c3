"""What of a result has no form in JSON, all at once: where, what to return in its place, and what to write into the
manifest to keep it as it is."""

from __future__ import annotations

from typing import Any, Dict, List, Set

#: What to write into the manifest to keep a result that JSON cannot say.
KEEP_PICKLED = (
    "or keep the whole result as a pickle, by these lines under spec: "
    'result: {store: {url: "s3://bucket/folder", secretRef: {name: secret-with-credentials}}, format: pickle}'
)
#: The most places that are named for one mistake, and the most text of all of them: a failure's message has 1024 bytes.
PLACES, TEXT = 3, 700

_ADVICE = {
    "": "return numbers, text, lists or dicts in its place",
    "DataFrame": "return its rows as dicts",
    "Table": "return .to_pylist() of it",
    "function": "return what it gives, or name it in graph.entrypoint",
    "method": "call it",
    "type": "return its name",
    "generator": "return list(...) of it",
    "map": "return list(...) of it",
    "filter": "return list(...) of it",
    "zip": "return list(...) of it",
    "coroutine": "await it",
}
#: No pickle holds these.
_FLEETING = frozenset({"generator", "coroutine", "lock", "RLock", "TextIOWrapper", "BufferedReader", "Client"})
#: What a value that has such a method can be turned into by it.
_METHODS = {"model_dump": ".model_dump() of it", "to_dict": ".to_dict() of it", "__attrs_attrs__": "attrs.asdict(it)"}


class Refusals:
    """Collects mistakes; true if there are any."""

    def __init__(self) -> None:
        self._places: Dict[str, List[str]] = {}
        self._more: Dict[str, int] = {}
        self.kinds: Set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._places)

    def add(self, place: str, message: str) -> None:
        """`place`: such as `$.a[3]`."""
        places = self._places.setdefault(message, [])
        if len(places) < PLACES:
            places.append(place)
        else:
            self._more[message] = self._more.get(message, 0) + 1

    def text(self, remedy: str) -> str:
        """Every place with what to return there, then the remedy for all."""
        lines: List[str] = []
        room, left = TEXT, 0
        for message, places in self._places.items():
            more = self._more.get(message, 0)
            line = f"{', '.join(places)}{f' and {more} more' if more else ''}: {message}"[:TEXT]
            room -= len(line.encode("utf-8", "replace"))
            if lines and room < 0:
                left += 1
            else:
                lines.append(line)
        if left:
            lines.append(f"and {left} more kinds of values")
        return "\n".join([*lines, remedy] if remedy and not self._are_fleeting() else lines)

    def _are_fleeting(self) -> bool:
        return all(any(f"{name} has no JSON form" in message for name in _FLEETING) for message in self._places)


def type_name(value: Any) -> str:
    """The type of a value as users name it: without `builtins`, of NumPy's and others' with the module."""
    module, name = type(value).__module__, type(value).__qualname__
    return name if module == "builtins" else f"{module}.{name}"


def advice_on(value: Any) -> str:
    """What to return in place of a value."""
    name = type(value).__name__
    if name not in _ADVICE and not isinstance(value, type):
        for method, advice in _METHODS.items():
            if hasattr(type(value), method):
                return f"return {advice}"
    return _ADVICE.get(name, _ADVICE[""])
