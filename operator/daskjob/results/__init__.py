"""Where a graph's result goes, and the form it has there.

`codec` turns a value into JSON that keeps its types, and back. `store` is the interface of stores; each store has a
file of its own, today `status_store`. Standard library only, Python 3.9 and newer: the runner carries these files into
users' images.
"""
