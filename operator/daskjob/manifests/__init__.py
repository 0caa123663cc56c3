"""Builders of an attempt's objects: pure functions from the job to the API server's JSON."""
