"""The resources as types: no behaviour beyond reading and writing them, no I/O, no clock."""
