"""What the two long-running processes, the operator and the Dask controller, need to answer probes truthfully.

`watches.py` knows whether kopf's watches still hear from the API server, `server.py` answers over HTTP.
"""
