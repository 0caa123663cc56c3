"""The program in the runner's pod: runs one graph on one cluster and reports what came of it.

It is delivered as a zipapp and runs in the user's image: standard library and `distributed` only, Python 3.9 and newer.
A parent process supervises and reports (`supervise`); a child process runs user code (`child`).
"""
