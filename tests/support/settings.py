"""What the cluster's tests take from the environment."""

from __future__ import annotations

import os

#: Where the images of the tests are, as a pod names them: DASKJOB_TEST_IMAGES, a registry and a folder.
REGISTRY = os.environ.get("DASKJOB_TEST_IMAGES") or "localhost/daskjob"
#: Tag of these images.
TAG = os.environ.get("DASKJOB_TEST_TAG") or "test"
#: The operator image's ID if images and programs are there already (tests/kind/e2e sets it): the tests build nothing,
#: and take kubectl and helm from PATH. Empty: the tests build what they need.
PREBUILT = os.environ.get("DASKJOB_TEST_PREBUILT", "")


def image(name: str) -> str:
    """What a pod calls an image of the tests: `operator`, `dask-new` or `dask-old`."""
    return f"{REGISTRY}/{name}:{TAG}"
