"""Builders of the objects that an attempt is made of: pure functions from the job to JSON."""
