"""Reads the API server's JSON, whatever is in it: both processes take their lists and watches in through here.

A user can store any JSON that the API server accepts. Python's own parser gives up on deep nesting, by raising or by
ending the process, so one object could deafen a whole operator.
"""
