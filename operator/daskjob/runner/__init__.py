"""The program in the runner's pod: it runs one graph on one cluster and reports progress and outcome.

The operator delivers it as a zipapp, which runs in the user's image: standard library and `distributed` only, Python
3.9 and newer. A parent process supervises and reports (`supervise`); a child process runs user code (`child`).
"""
