"""The report in Kubernetes: the built runner against an API server that answers as told."""

from __future__ import annotations

import json
import os
import signal
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from daskjob import wire

from .conftest import wait_for

PATH = "/apis/daskjob.io/v1alpha1/namespaces/team/daskjobreports/job-11111-1/status?fieldManager=daskjob-runner"


def make_certificate(folder: Path) -> None:
    """tls.crt, tls.key and ca.crt for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "daskjob")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "tls.crt").write_bytes(text)
    (folder / "ca.crt").write_bytes(text)
    (folder / "tls.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


class ApiServer:
    """Keeps every accepted status. `answers` are given first, one a request: a code, or (code, headers, message);
    `finals` likewise to those that tell an outcome, whatever is reported before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_certificate(folder)
        (folder / "token").write_text("first-token\n")
        self.answers: list[Any] = []
        self.finals: list[Any] = []
        self.spec: dict[str, Any] = {"cancel": False}
        self.requests: list[tuple[str, str, dict[str, Any]]] = []
        self.accepted: list[dict[str, Any]] = []
        self.connections = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_PATCH(self) -> None:
                assert self.headers["Content-Type"] == "application/merge-patch+json"
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, self.headers["Authorization"], body["status"]))
                answers = outer.finals if "outcome" in body["status"] and outer.finals else outer.answers
                answer = answers.pop(0) if answers else 200
                code, headers, message = answer if isinstance(answer, tuple) else (answer, {}, "as told")
                if code == "drop":
                    self.close_connection = True
                    self.connection.close()
                    return
                if code == 200:
                    outer.accepted.append(body["status"])
                    reply = {"spec": outer.spec, "status": body["status"]}
                else:
                    reply = {"kind": "Status", "message": message}
                data = json.dumps(reply).encode()
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def env(self) -> dict[str, str]:
        return {
            "DASKJOB_REPORT": "kubernetes",
            "DASKJOB_TOKEN_FOLDER": str(self.folder),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self.server.server_port),
        }


@pytest.fixture
def api(tmp_path: Path) -> Iterator[ApiServer]:
    folder = tmp_path / "api"
    folder.mkdir()
    server = ApiServer(folder)
    yield server
    server.server.shutdown()
    server.server.server_close()


def sealed(api: ApiServer) -> dict[str, Any]:
    """The last accepted status, which must be the only one with an outcome."""
    assert [status for status in api.accepted if "outcome" in status] == api.accepted[-1:]
    assert wire.parse_report(api.accepted[-1]) == api.accepted[-1]
    return api.accepted[-1]


def test_a_short_job_takes_at_most_three_patches_on_one_connection(run, api, make_cluster):
    outcome = run("entries:one", cluster=make_cluster(), env=api.env)
    assert outcome.code == 0
    status = sealed(api)
    assert status["result"]["value"] == "285"
    assert status["progress"]["done"] == status["progress"]["total"] == 11
    assert {path for path, _, _ in api.requests} == {PATH}
    assert {token for _, token, _ in api.requests} == {"Bearer first-token"}
    # A machine that is slow to start a worker makes it a longer one.
    assert len(api.requests) <= max(3, outcome.seconds)
    assert api.connections == 1
    assert api.accepted[0]["stage"] == "Starting"
    numbers = [status["seq"] for status in api.accepted]
    assert numbers == sorted(set(numbers))


def test_user_code_waits_for_the_first_report(start, api, tmp_path):
    api.answers = [404] * 1000
    file = tmp_path / "ran"
    running = start("entries:touches", str(file), env=api.env)
    wait_for(
        "the scheduler to be reached", lambda: any("connected" in tries["timings"] for _, _, tries in api.requests)
    )
    assert not file.exists()
    api.answers = [403, (422, {}, "token is not bound to the runner pod of this attempt")]
    assert running.wait().code == 0
    assert file.exists()
    assert sealed(api)["outcome"] == "Succeeded"


def test_every_request_reads_the_token_anew(start, api):
    running = start("failing:sleeps", 600, env=api.env)
    wait_for("the first patch", lambda: api.accepted)
    (api.folder / "token").write_text("second-token\n")
    wait_for("the second patch", lambda: len(api.accepted) > 1)
    running.process.send_signal(signal.SIGTERM)
    assert running.wait().code == 1
    assert api.requests[-1][1] == "Bearer second-token"


FINALS = {
    "conflict": [409],
    "asked to wait": [(429, {"Retry-After": "1"}, "slow down")],
    "server errors": [500, 503, 504],
    "dropped connection": [("drop", {}, "")],
    "dropped twice": [("drop", {}, ""), ("drop", {}, "")],
    "a token that is late": [401],
}


@pytest.mark.parametrize("case", FINALS)
def test_the_final_patch_is_tried_again_with_the_same_bytes(start, api, case):
    running = start("entries:waits_for_file", str(api.folder / "go"), env=api.env)
    wait_for("the graph", lambda: api.accepted and api.accepted[-1]["stage"] == "Running")
    api.finals = list(FINALS[case])
    before = len(api.requests)
    (api.folder / "go").touch()
    outcome = running.wait()
    assert outcome.code == 0
    finals = [status for _, _, status in api.requests[before:] if "outcome" in status]
    assert all(status == finals[0] for status in finals)
    assert sealed(api)["result"]["value"] == '"done"'
    assert len(finals) == len(FINALS[case]) + 1


def test_a_rejected_final_patch_is_reduced(start, api):
    running = start("entries:waits_for_file", str(api.folder / "go"), env=api.env)
    wait_for("the graph", lambda: api.accepted and api.accepted[-1]["stage"] == "Running")
    api.finals = [(422, {}, "status.progress: Invalid value")]
    (api.folder / "go").touch()
    assert running.wait().code == 0
    final = sealed(api)
    assert "progress" not in final
    assert final["result"]["value"] == '"done"'


@pytest.mark.parametrize(
    "answers",
    [[(422, {}, "report is sealed")], [403] * 3, [404] * 3],
    ids=["sealed by another", "not allowed", "report deleted"],
)
def test_a_final_patch_that_cannot_succeed_is_given_up(start, api, answers):
    running = start("entries:waits_for_file", str(api.folder / "go"), env=api.env)
    wait_for("the graph", lambda: api.accepted and api.accepted[-1]["stage"] == "Running")
    api.finals = list(answers)
    (api.folder / "go").touch()
    outcome = running.wait()
    assert outcome.code == 3
    assert outcome.termination["outcome"] == "Succeeded"
    assert outcome.termination["result"]["value"] == '"done"'
    assert not api.finals


def test_cancel_in_the_answer(start, api):
    running = start("failing:sleeps", 600, env=api.env)
    wait_for("the graph", lambda: api.accepted and api.accepted[-1]["stage"] == "Running")
    api.spec = {"cancel": True}
    outcome = running.wait()
    assert outcome.code == 1
    assert sealed(api)["failure"]["reason"] == "Cancelled"
    assert outcome.termination["failure"]["reason"] == "Cancelled"


def test_cancelled_before_it_began(start, api, tmp_path):
    api.spec = {"cancel": True}
    file = tmp_path / "ran"
    assert start("entries:touches", str(file), env=api.env).wait().code == 1
    assert sealed(api)["failure"]["reason"] == "Cancelled"
    assert not file.exists()


def test_sealed_before_it_began(start, api, tmp_path):
    api.answers = [(422, {}, "report is sealed")] * 50
    file = tmp_path / "ran"
    outcome = start("entries:touches", str(file), env=api.env).wait()
    assert outcome.code == 3
    assert not file.exists()


def test_sealed_by_somebody_else_while_it_runs(start, api):
    """As while no admission policy holds others off the report: they can neither stop the graph nor give its result."""
    api.answers = [200] + [(422, {}, "report is sealed")] * 50
    running = start("entries:waits_for_file", str(api.folder / "go"), env=api.env)
    wait_for("the refusal", lambda: len(api.answers) < 50)
    (api.folder / "go").touch()
    outcome = running.wait()
    assert outcome.code == 3
    assert outcome.termination["outcome"] == "Succeeded"
    assert outcome.termination["result"]["value"] == '"done"'
    assert len(api.answers) == 49, "and it does not ask again"


def test_a_certificate_of_another_authority_is_refused(start, api, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    make_certificate(other)
    (other / "token").write_text("secret")
    running = start("entries:one", env={**api.env, "DASKJOB_TOKEN_FOLDER": str(other)})
    wait_for("refused handshakes", lambda: "is not accepted" in (running.folder / "output").read_text())
    running.process.send_signal(signal.SIGTERM)
    outcome = running.wait()
    assert outcome.code == 3
    assert outcome.termination["failure"]["reason"] == "Cancelled"
    assert api.requests == []


def test_job_file_that_does_not_name_the_report(start, api):
    running = start("entries:one", env={**api.env, "DASKJOB_JOB_FILE": os.devnull})
    outcome = running.wait()
    assert outcome.code == 3
    assert outcome.termination["failure"]["reason"] == "InvalidJob"


OVERDUE = {"seconds": 1, "reason": "AttemptDeadlineExceeded", "message": "the attempt took too long"}


def test_a_deadline_that_is_edited_reaches_the_runner_with_the_next_answer(start, api):
    running = start("failing:sleeps", 600, env=api.env, unattendedSeconds=0)
    wait_for("the graph", lambda: api.accepted and api.accepted[-1]["stage"] == "Running")
    api.spec = {**api.spec, "deadline": OVERDUE}
    assert running.wait().code == 1
    assert sealed(api)["failure"] == {name: OVERDUE[name] for name in ("reason", "message")}


def test_a_deadline_that_is_taken_back_does_not_count(start, api):
    """The job file has the one of the attempt's start."""
    times = {"deadline": OVERDUE, "unattendedSeconds": 5}
    running = start("entries:waits_for_file", str(api.folder / "go"), env=api.env, **times)
    wait_for("the graph", lambda: api.accepted and api.accepted[-1]["stage"] == "Running")
    wait_for("its end by the first deadline", lambda: time.monotonic() - running.began > 8)
    (api.folder / "go").touch()
    assert running.wait().code == 0
    assert sealed(api)["outcome"] == "Succeeded"
