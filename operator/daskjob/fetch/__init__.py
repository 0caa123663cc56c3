"""Brings a job's code and packages from elsewhere: what the operator's init containers run, and local runs.

Standard library only, Python 3.9 and newer: the runner's program carries these files into users' images.
"""
