"""How much may be fetched."""

#: The most bytes that the code of a job may take, with a repository's history as far as it is fetched, and the files.
MOST_BYTES = 2 * 1024**3
MOST_FILES = 100_000
#: The size of a pod's volume for it: what fetches ends before, and says why; the kubelet would only evict the pod.
VOLUME_BYTES = MOST_BYTES + MOST_BYTES // 2
