"""Results in S3: a server that speaks it, with rights, and every way in which a store can refuse."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.object_store import S3, python_with_stores
from ..support.stopping_line import StoppingLine
from .conftest import Cluster, Outcome

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "operator"


@pytest.fixture(scope="session")
def image() -> str:
    return python_with_stores()


@pytest.fixture(scope="session")
def s3(image: str) -> Iterator[S3]:
    with S3(image) as server:
        yield server


@pytest.fixture
def deaf() -> Iterator[str]:
    """A server that takes connections, and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_trials(image: str, s3: S3, deaf: str, tmp_path: Path) -> None:
    """Each refusal has its reason and says what to do; no message has a secret."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "file").write_text("x")
    writer, folder = s3.users["writer"], f"file://{tmp_path}"
    wrong = {**writer, "AWS_SECRET_ACCESS_KEY": "wrong-secret-of-nobody"}
    newline = {**writer, "AWS_SECRET_ACCESS_KEY": writer["AWS_SECRET_ACCESS_KEY"] + "\n\n"}
    ours, bucket = s3.options, "s3://results/folder"
    cases: dict[str, tuple[str, dict[str, Any], dict[str, str], str, str]] = {
        "bucket": (bucket, ours, writer, "", ""),
        "root of a bucket": ("s3://results", ours, writer, "", ""),
        "folder": (f"{folder}/whole", {}, {}, "", ""),
        "no bucket": ("s3://nobody/x", ours, writer, "StoreNotFound", "create the bucket, or correct result.store.url"),
        "no folder": (f"{folder}/none", {}, {}, "StoreNotFound", "mount a volume there by the templates"),
        "a file": (f"{folder}/file", {}, {}, "StoreNotFound", "is a file, or below one, where a folder has to be"),
        "may only read": (bucket, ours, s3.users["reader"], "StoreForbidden", "do not let the job write"),
        "may not list": (bucket, ours, s3.users["blind"], "StoreForbidden", "do not let the job list"),
        "wrong secret": (bucket, ours, wrong, "StoreForbidden", "result.store.secretRef"),
        "no credentials": (bucket, ours, {}, "StoreForbidden", "result.store.secretRef"),
        "secret with a line end": (bucket, ours, newline, "Store", "s3://results/folder"),
        "nobody listens": (
            bucket,
            {**ours, "endpoint_url": "http://127.0.0.1:9"},
            writer,
            "StoreUnavailable",
            "127.0.0.1:9",
        ),
        "slow": (bucket, {**ours, "endpoint_url": deaf}, writer, "StoreUnavailable", "did not answer within 3 s"),
        "no driver": ("gs://results/x", {}, {}, "StoreDriverMissing", "the image has no gcsfs, which gs://results/x"),
        "no such scheme": ("s4://results/x", {}, {}, "StoreNotFound", "fsspec knows no s4://"),
        "memory": ("memory://results", {}, {}, "StoreNotFound", "keeps nothing"),
        "chained": ("simplecache::s3://results", ours, writer, "StoreNotFound", "keeps nothing"),
        "odd option": (bucket, {**ours, "bucketname": "x"}, writer, "StoreNotFound", "result.store.options do not fit"),
    }
    given = {
        name: {"url": url, "options": options, "environment": environment, "seconds": 3 if name == "slow" else 60}
        for name, (url, options, environment, _, _) in cases.items()
    }
    done = subprocess.run(
        [image, str(HERE / "trials.py")],
        input=json.dumps(given),
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    wrongly = {
        name: found[name]
        for name, (*_, reason, words) in cases.items()
        if bool(found[name]) != bool(reason)
        or (found[name] and not (found[name][0].startswith(reason) and words in found[name][1]))
    }
    assert wrongly == {}
    texts = done.stdout + done.stderr
    for each in (*s3.users.values(), wrong):
        assert each["AWS_SECRET_ACCESS_KEY"] not in texts


def secret(folder: Path, keys: dict[str, str]) -> str:
    """A folder with the files of a Secret, as a pod mounts it."""
    folder.mkdir()
    for name, value in keys.items():
        (folder / name).write_text(value)
    return str(folder)


def test_workers_write_a_dataframe_into_a_bucket_and_the_report_has_keys_of_its_own(
    make_cluster: Callable[..., Cluster], run: Callable[..., Outcome], image: str, s3: S3, tmp_path: Path
) -> None:
    cluster = make_cluster(workers=2, python=image, env={**s3.users["writer"], "AWS_EC2_METADATA_DISABLED": "true"})
    store = {"url": "s3://results/jobs", "options": s3.options, "format": "auto"}
    secrets = {
        "DASKJOB_STORE_SECRET": secret(tmp_path / "result", s3.users["writer"]),
        "DASKJOB_REPORT_SECRET": secret(tmp_path / "report", s3.users["reader"]),
        "DASKJOB_RECORDING": str(tmp_path / "recording"),
    }
    outcome = run("stored:frame", cluster=cluster, store=store, keep={"store": store}, env=secrets)
    assert outcome.status.get("outcome") == "Succeeded", outcome.output + json.dumps(outcome.status)
    saved = outcome.status["saved"]
    assert saved["reason"] == "StoreForbidden"
    assert "in the Secret of report.store.secretRef" in saved["message"]
    assert s3.users["reader"]["AWS_SECRET_ACCESS_KEY"] not in outcome.output + json.dumps(outcome.status)
    record = outcome.status["result"]
    assert record["location"] == "s3://results/jobs/team/job/11111111-2222/1"
    reading = "pandas.read_parquet(sys.argv[1], storage_options=json.loads(sys.argv[2]))"
    script = f"import json, pandas, sys; print({reading}.n.sum())"
    arguments = [f"{record['location']}/value.parquet", json.dumps(s3.options)]
    read = subprocess.run(
        [image, "-c", script, *arguments], env={**os.environ, **cluster.env}, capture_output=True, text=True
    )
    assert read.stdout.strip() == str(sum(range(40))), read.stderr
    assert s3.users["writer"]["AWS_SECRET_ACCESS_KEY"] not in outcome.output + json.dumps(outcome.status)


def test_a_worker_that_may_not_write_ends_the_job_before_its_graph(
    make_cluster: Callable[..., Cluster], run: Callable[..., Outcome], image: str, s3: S3
) -> None:
    cluster = make_cluster(python=image, env={**s3.users["reader"], "AWS_EC2_METADATA_DISABLED": "true"})
    store = {"url": "s3://results/jobs", "options": s3.options, "format": "auto"}
    outcome = run("stored:frame", cluster=cluster, store=store, env=s3.users["writer"])
    assert outcome.failure["reason"] == "StoreForbidden"
    assert outcome.failure["message"].startswith("on a worker: the credentials do not let the job write")
    assert "graphStarted" not in outcome.status["timings"]


def test_a_store_that_stops_in_the_middle_of_a_file_is_told(image: str, s3: S3) -> None:
    with StoppingLine(s3.address, 300_000) as line:
        done = subprocess.run(
            [image, str(HERE / "stopped_reading.py")],
            input=json.dumps({"options": s3.options, "line": line.address}),
            env={**os.environ, **s3.users["writer"], "PYTHONPATH": str(SOURCES)},
            capture_output=True,
            text=True,
        )
    assert "the result is at s3://results/team/one/u1/1, and the store has stopped: " in done.stdout, done.stderr
    assert "of 1000000 bytes of value.pickle came, and nothing more for 0.5 s; try again" in done.stdout
