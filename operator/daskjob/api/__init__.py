"""The custom resources as frozen types that read and write themselves; no I/O, no clock."""
