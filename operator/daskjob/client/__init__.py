"""A cluster's jobs from outside: what the command line is built on. It needs the extra `client` and no operator.

Nothing here imports the `kubernetes` package before it is used: that takes a third of a second.
"""
