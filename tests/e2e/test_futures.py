"""The contract of futures, with jobs in real pods."""

from __future__ import annotations

import sys

import pytest

import daskjob

from ..client.contract import FuturesContract
from ..support.kube import Kube
from ..support.settings import image

#: The image whose Python is that of the tests: a pickle is opened by no other one.
IMAGES = {(3, 11): "dask-old", (3, 13): "dask-new"}


class TestClusterFutures(FuturesContract):
    @pytest.fixture
    def connected(self, kube: Kube) -> daskjob.DaskJobClient:
        found = IMAGES.get(sys.version_info[:2])
        assert found is not None, f"no image of the tests has the Python of the tests: it must be one of {list(IMAGES)}"
        return daskjob.connect(kube.namespace, kubeconfig=kube.kubeconfig, image=image(found))

    def same_dask(self) -> bool:
        return IMAGES[sys.version_info[:2]] == "dask-new"
