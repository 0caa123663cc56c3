"""The local backend: one DaskJob on this machine, by processes instead of pods, with the same runner and status.

`run(job, listener, cancel)` is all there is to it; see `backend`.
"""
