"""What the operator and the Dask controller share: their settings, and the answers to the kubelet's probes.

`watch_health.py` measures whether kopf's watches still receive anything, `server.py` answers over HTTP.
"""
