"""What the examples on the page about results are written with."""

from __future__ import annotations

import collections
import enum
import math
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy
import pandas


class Color(enum.Enum):
    RED = "red"


class Size(enum.Enum):
    LARGE = 2


@dataclass(frozen=True)
class Spot:
    x: int
    y: Any = None


class Pair(NamedTuple):
    left: int
    right: int


NAMES: dict[str, Any] = {
    each.__name__: each
    for each in (collections, enum, math, numpy, pandas, date, datetime, time, timedelta, timezone, ZoneInfo)
} | {each.__name__: each for each in (Decimal, Fraction, Path, UUID, Color, Size, Spot, Pair)}
