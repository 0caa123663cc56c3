"""Names that users and other programs see: group, labels, condition types, reasons."""

from __future__ import annotations

from enum import StrEnum

GROUP = "daskjob.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
DASK_GROUP = "kubernetes.dask.org"
DASK_API_VERSION = f"{DASK_GROUP}/v1"

#: Field manager of every write of the operator.
MANAGER = "daskjob-operator"

# Labels: written by the operator on every object that it makes, never read from users' templates.
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
JOB_LABEL = f"{GROUP}/job"
JOB_UID_LABEL = f"{GROUP}/job-uid"
ATTEMPT_LABEL = f"{GROUP}/attempt"
COMPONENT_LABEL = f"{GROUP}/component"
MANAGED_SELECTOR = f"{MANAGED_BY_LABEL}={MANAGER}"

# Labels that dask-kubernetes writes on its pods.
DASK_CLUSTER_LABEL = "dask.org/cluster-name"
DASK_COMPONENT_LABEL = "dask.org/component"

SCHEDULER_PORT = 8786
DASHBOARD_PORT = 8787

#: A job's name must leave room, within 63 characters, for the names of its scheduler's Service and its worker group.
MAX_NAME_LENGTH = 40


class Phase(StrEnum):
    """One word for people, derived from the conditions, never read back."""

    PENDING = "Pending"
    STARTING = "Starting"
    RUNNING = "Running"
    RETRYING = "Retrying"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class ConditionType(StrEnum):
    CLUSTER_READY = "ClusterReady"
    COMPLETE = "Complete"
    FAILED = "Failed"
    REPORTING_DEGRADED = "ReportingDegraded"
    CLEANED_UP = "CleanedUp"


class FailureClass(StrEnum):
    """Whose failure it is, from what the operator sees, never from what user code claims."""

    APPLICATION = "Application"
    INFRASTRUCTURE = "Infrastructure"


class Reason(StrEnum):
    """Why a job waits, runs or ended. Those of the runner's reports come first."""

    MODULE_NOT_FOUND = "ModuleNotFound"
    ENTRYPOINT_NOT_FOUND = "EntrypointNotFound"
    ENTRYPOINT_FAILED = "EntrypointFailed"
    TASK_FAILED = "TaskFailed"
    WORKERS_KILLED = "WorkersKilled"
    RESULT_NOT_SERIALIZABLE = "ResultNotSerializable"
    RESULT_TOO_LARGE = "ResultTooLarge"
    EXITED_EARLY = "ExitedEarly"
    EXIT_CODE = "ExitCode"
    SIGNAL = "Signal"
    SCHEDULER_UNREACHABLE = "SchedulerUnreachable"
    SCHEDULER_LOST = "SchedulerLost"
    NO_WORKERS = "NoWorkers"
    CANCELLED = "Cancelled"
    INVALID_JOB = "InvalidJob"

    INVALID_SPEC = "InvalidSpec"
    CONFIG_MAP_NOT_FOUND = "ConfigMapNotFound"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    CONTAINER_START_FAILED = "ContainerStartFailed"
    VOLUME_MOUNT_FAILED = "VolumeMountFailed"
    UNSCHEDULABLE = "Unschedulable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    POD_REJECTED = "PodRejected"
    OPERATOR_FORBIDDEN = "OperatorForbidden"
    NAME_CONFLICT = "NameConflict"
    STARTUP_DEADLINE_EXCEEDED = "StartupDeadlineExceeded"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    RUNNER_OOM_KILLED = "RunnerOOMKilled"
    RUNNER_DISRUPTED = "RunnerDisrupted"
    RUNNER_EVICTED = "RunnerEvicted"
    RUNNER_LOST = "RunnerLost"
    SCHEDULER_OOM_KILLED = "SchedulerOOMKilled"
    CLUSTER_LOST = "ClusterLost"
    WORKER_OOM_KILLED = "WorkerOOMKilled"

    # Not failures.
    WAITING = "Waiting"
    WORKERS_READY = "WorkersReady"
    SUCCEEDED = "Succeeded"
    REPORT_MISSING = "ReportMissing"
    CLEANING_UP = "CleaningUp"
    CLEANED_UP = "CleanedUp"
