"""Jobs as futures of Python: `daskjob.connect()`, on a cluster or on this machine.

`connecting` chooses the backend, `dask_job_client` has the client, `job_future` what it gives; `job_backend` says what
a backend is. Nothing here imports kopf, Dask or the `kubernetes` package before it is used.
"""
