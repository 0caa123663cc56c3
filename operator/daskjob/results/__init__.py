"""Where a graph's result goes, and the form it has there.

`codec` turns a value into JSON that keeps its types, and back. `store` is the interface of stores: `status_store` keeps
a value in the record itself, `runner.stored_result` in a place that `opened_store` opens, in a form of `stored_value`,
of which `part_writer` writes the parts. Standard library only, Python 3.9 and newer: the runner carries these files
into users' images, and imports fsspec, pyarrow, Zarr and cloudpickle of theirs where a store is asked for.
"""
