"""How deep an object may be nested for the operator to read it."""

#: Levels of nesting that are read; a pod template, the deepest that a job needs, has about 20.
MOST_LEVELS = 100
#: The field that an object gets from which something was left out. The API server drops unknown fields at that place,
#: so no user can set it.
UNREADABLE = "unreadable"
TOO_DEEP = f"is nested deeper than {MOST_LEVELS} levels"
