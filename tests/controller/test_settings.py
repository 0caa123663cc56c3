"""The operator's settings, from its environment."""

from __future__ import annotations

import subprocess
import sys

import pytest

from daskjob.api.graph_spec import SecretReference
from daskjob.api.result_spec import Store
from daskjob.lifecycle.job.queueing import RunLimits
from daskjob.manifests.context import DEFAULT_SECURITY
from daskjob.operator.settings import Settings, read_settings
from daskjob.schema.pod_security import Level


def test_every_setting_has_a_default_and_pod_security_is_on() -> None:
    settings = read_settings({})
    assert settings == Settings(pod_name=settings.pod_name)
    assert settings.defaults.security_context == DEFAULT_SECURITY
    assert settings.defaults.allowed == ()
    assert settings.process.namespaces == ()


def test_all_of_them() -> None:
    settings = read_settings(
        {
            "DASKJOB_NAMESPACES": "a, b ,,c",
            "DASKJOB_OPERATOR_NAMESPACE": "ops",
            "DASKJOB_LEASE_NAME": "lease",
            "DASKJOB_POD_NAME": "me",
            "DASKJOB_HEALTH_PORT": "0",
            "DASKJOB_METRICS_PORT": "0",
            "DASKJOB_LOG_FORMAT": "json",
            "DASKJOB_LOG_LEVEL": "debug",
            "DASKJOB_CONCURRENCY": "3",
            "DASKJOB_MAX_RUNNING_JOBS": "20",
            "DASKJOB_MAX_RUNNING_JOBS_PER_NAMESPACE": "5",
            "DASKJOB_MAX_WORKERS_PER_NAMESPACE": "70",
            "DASKJOB_MAX_WORKERS_PER_JOB": "30",
            "DASKJOB_NAMESPACE_CLASSES": "a,b; c ;",
            "DASKJOB_DEFAULT_IMAGE": "localhost/dask:test",
            "DASKJOB_DEFAULT_IMAGE_PULL_POLICY": "Never",
            "DASKJOB_ALLOW": "hostPath,privileged",
            "DASKJOB_ALLOW_METADATA": "example.com/*, app",
            "DASKJOB_POD_SECURITY": "Baseline",
            "DASKJOB_POD_SECURITY_CONTEXT": '{"runAsUser": 7}',
            "DASKJOB_CLUSTER_DOMAIN": "example.internal",
            "DASKJOB_UNATTENDED_SECONDS": "90",
            "DASKJOB_RESOURCES": '{"limits": {"memory": "1Gi"}}',
            "DASKJOB_TMP_SIZE_LIMIT": "20Gi",
            "DASKJOB_INGRESS": '[{"ports": [{"port": 1}]}]',
            "DASKJOB_RESULT_STORE": '{"url": "s3://a/b", "secretRef": {"name": "c"}, "options": {"anon": true}}',
        }
    )
    assert settings.process.namespaces == ("a", "b", "c")
    assert (settings.operator_namespace, settings.lease_name, settings.pod_name) == ("ops", "lease", "me")
    assert (settings.process.health_port, settings.metrics_port, settings.concurrency) == (0, 0, 3)
    assert (settings.process.log_format, settings.process.log_level) == ("json", "DEBUG")
    assert settings.limits == RunLimits(20, 5, 70, 30, (frozenset("ab"), frozenset("c"), frozenset()))
    defaults = settings.defaults
    assert (defaults.image, defaults.image_pull_policy) == ("localhost/dask:test", "Never")
    assert defaults.allowed == ("hostPath", "privileged")
    assert (defaults.allowed_metadata, defaults.pod_security) == (("example.com/*", "app"), Level.BASELINE)
    assert (defaults.security_context, defaults.cluster_domain) == ({"runAsUser": 7}, "example.internal")
    assert defaults.unattended_seconds == 90
    assert (defaults.resources, defaults.tmp_size_limit) == ({"limits": {"memory": "1Gi"}}, "20Gi")
    assert defaults.ingress == ({"ports": [{"port": 1}]},)
    assert defaults.result_store == Store("s3://a/b", SecretReference("c"), {"anon": True})


def test_without_network_policies_of_jobs() -> None:
    assert read_settings({"DASKJOB_INGRESS": "none"}).defaults.ingress is None


@pytest.mark.parametrize("name", ["DASKJOB_DEFAULT_IMAGE", "DASKJOB_NAMESPACES", "DASKJOB_HEALTH_PORT"])
def test_empty_is_not_set(name: str) -> None:
    settings = read_settings({name: " "})
    assert settings == Settings(pod_name=settings.pod_name)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("DASKJOB_HEALTH_PORT", "http", "'http' is not a whole number"),
        ("DASKJOB_METRICS_PORT", "99999", "99999 is no port"),
        ("DASKJOB_METRICS_PORT", "8080", "8080 is the health port"),
        ("DASKJOB_MAX_RUNNING_JOBS", "-1", "-1 would let no job run; give 0 for no limit"),
        ("DASKJOB_MAX_RUNNING_JOBS_PER_NAMESPACE", "many", "'many' is not a whole number"),
        ("DASKJOB_MAX_WORKERS_PER_JOB", "-2", "-2 would let no job run; give 0 for no limit"),
        ("DASKJOB_NAMESPACE_CLASSES", "a,b", "one class puts no namespace before another; give two or more, or none"),
        ("DASKJOB_NAMESPACE_CLASSES", "a;b;a", "namespace a is named twice; name it once"),
        ("DASKJOB_CONCURRENCY", "1.5", "'1.5' is not a whole number"),
        ("DASKJOB_UNATTENDED_SECONDS", "9", "9 is shorter .* give 10 or more"),
        ("DASKJOB_POD_SECURITY_CONTEXT", "{", "not JSON"),
        ("DASKJOB_POD_SECURITY_CONTEXT", "[]", "must be a JSON object"),
        ("DASKJOB_POD_SECURITY_CONTEXT", '{"runAsUser": "7"}', "runAsUser must be a whole number"),
        (
            "DASKJOB_POD_SECURITY_CONTEXT",
            '{"runAsUser": 7}',
            "runAsNonRoot must be true, .* .pod security level restricted.; .* or job.podSecurity to baseline",
        ),
        (
            "DASKJOB_POD_SECURITY_CONTEXT",
            '{"runAsNonRoot": true, "seccompProfile": {"type": "Unconfined"}}',
            "seccompProfile.type must be RuntimeDefault or Localhost, .* or job.podSecurity to privileged",
        ),
        ("DASKJOB_POD_SECURITY", "strict", "'strict' is unknown; give restricted, baseline, privileged"),
        ("DASKJOB_ALLOW", "hostPath,everything", "'everything' is unknown; give words of hostNamespaces, "),
        ("DASKJOB_INGRESS", "{}", "must be a JSON list of objects"),
        ("DASKJOB_RESULT_STORE", '{"url": "/mnt/x"}', "url must be one of fsspec"),
        ("DASKJOB_RESULT_STORE", '{"url": "s3://me:x@a/b"}', "url must be one of fsspec without user"),
        ("DASKJOB_INGRESS", "[1]", "must be a JSON list of objects"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, value: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: .*{words}"):
        read_settings({name: value})


@pytest.mark.parametrize("log_format", ["plain", "json"])
def test_no_line_of_the_log_moves_a_terminal(log_format: str) -> None:
    """Neither a message of the API server nor the traceback of the error that has it."""
    program = f"""
import logging
from daskjob.probes.process_settings import ProcessSettings, configure_logging
configure_logging(ProcessSettings(log_format={log_format!r}))
words = "denied \\x1b[31m \\x9b2J \\u202e \\x07 here"
logging.getLogger("daskjob").warning("refused: %s", words)
try:
    raise ValueError(words)
except ValueError:
    logging.getLogger("kopf.activities").exception("failed")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    lines = done.stderr.decode()
    assert lines.count("denied") >= 2
    assert "Traceback" in lines
    assert lines.replace("\n", "").isprintable()
    if log_format == "plain":
        assert "refused: denied     here" in lines
