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

# Labels that the operator writes on every object that it creates; it refuses templates that set them.
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
JOB_LABEL = f"{GROUP}/job"
JOB_UID_LABEL = f"{GROUP}/job-uid"
ATTEMPT_LABEL = f"{GROUP}/attempt"
COMPONENT_LABEL = f"{GROUP}/component"
#: Which installation of the operator created the object: the namespace and name of its Lease.
INSTALLATION_LABEL = f"{GROUP}/installation"
MANAGED_SELECTOR = f"{MANAGED_BY_LABEL}={MANAGER}"

#: Characters of an annotation that the operator reads, for the status has room for no more.
ANNOTATION_LENGTH = 4096
#: Annotation that users write on a job: with a text other than `status.rerun`, a finished job runs anew.
RERUN_ANNOTATION = f"{GROUP}/rerun"
#: Annotation that users write on a cron job: with a text other than `status.runNow`, it creates one job at once.
RUN_NOW_ANNOTATION = f"{GROUP}/run-now"
#: Annotation on a job of a cron job: its scheduled time.
SCHEDULED_AT_ANNOTATION = f"{GROUP}/scheduled-at"
#: The operator's own init containers, which bring code and packages before the user's run. What they say of their end
#: counts.
FETCHING = ("fetch-code", "install-packages")
#: Label on a job of a cron job: the cron job's name.
CRON_JOB_LABEL = f"{GROUP}/cron-job"
#: Default of `spec.managedBy`: this operator reconciles the job.
MANAGED_BY = f"{GROUP}/operator"

#: Annotation of the Dask controller on a cluster or a worker group: why Kubernetes refused its last pod.
REFUSED_ANNOTATION = f"{GROUP}/refused"
#: Annotation of the operator on a worker group: when it last asked for workers in place of those that are gone.
REPLACE_ANNOTATION = f"{GROUP}/replace-workers"
#: Annotation on an attempt's cluster, runner and report, by which the operator knows that it created them
#: (`api.tokens`).
TOKEN_ANNOTATION = f"{GROUP}/token"
#: On a cluster: what the tokens of its further worker groups lead to (`api.tokens`), as JSON, by the groups' keys.
GROUPS_ANNOTATION = "daskjob.io/worker-groups"

#: Finalizer of a job whose results are to be deleted with it.
RESULTS_FINALIZER = f"{GROUP}/results"

#: The service account of a job's pods whose template names no other. The operator creates it, and gives it no rights.
RUNNER_ACCOUNT = "daskjob-runner"

# Labels that dask-kubernetes writes on its pods.
DASK_CLUSTER_LABEL = "dask.org/cluster-name"
DASK_COMPONENT_LABEL = "dask.org/component"
DASK_GROUP_LABEL = "dask.org/workergroup-name"

SCHEDULER_PORT = 8786
DASHBOARD_PORT = 8787

#: Characters of a job's name at most, as the definition has it.
MAX_NAME_LENGTH = 40


class Phase(StrEnum):
    """One word for people and printer columns, set with each status that is recorded (`lifecycle.job.record`).

    Programs go by the conditions. The operator itself reads a phase back for two things only: a phase that it does
    not know is of a later version, whose jobs it leaves alone; and `Reconciling` repeats the phase's word.
    """

    PENDING = "Pending"
    QUEUED = "Queued"
    STARTING = "Starting"
    RUNNING = "Running"
    RETRYING = "Retrying"
    SUSPENDED = "Suspended"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class ConditionType(StrEnum):
    """Types of the conditions of a job, in the order in which the status lists them."""

    CLUSTER_READY = "ClusterReady"
    QUEUED = "Queued"
    SUSPENDED = "Suspended"
    COMPLETE = "Complete"
    FAILED = "Failed"
    REPORTING_DEGRADED = "ReportingDegraded"
    REPORT_SAVED = "ReportSaved"
    CLEANED_UP = "CleanedUp"

    # kstatus (Flux, Argo CD, generic tools) reads these three.
    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"


class RunPolicy(StrEnum):
    """Whether a spec may be edited: not at all, or as a new run."""

    ONCE = "Once"
    ON_CHANGE = "OnChange"


class ResultFormat(StrEnum):
    """The form of a result in a store."""

    AUTO = "auto"
    JSON = "json"
    PARQUET = "parquet"
    ZARR = "zarr"
    PICKLE = "pickle"


class WorkerCommand(StrEnum):
    """Which of Dask's commands starts a worker."""

    WORKER = "worker"
    CUDA = "cuda"


class Retention(StrEnum):
    """What becomes of a job's results in a store when the job is deleted."""

    KEEP = "Keep"
    DELETE_WITH_JOB = "DeleteWithJob"


class RetryAction(StrEnum):
    """What a rule of `failurePolicy` does about a failed attempt."""

    FAIL = "Fail"
    RETRY = "Retry"
    IGNORE = "Ignore"


class EventReason(StrEnum):
    """Reasons of Kubernetes Events on a job, beside those of `Reason` (docs/events.md)."""

    STARTED = "Started"
    RENAMED = "Renamed"
    RETRYING = "Retrying"
    QUEUED = "Queued"
    NEW_RUN = "NewRun"
    OTHER_INSTALLATION = "OtherInstallation"
    STATUS_NOT_RECORDED = "StatusNotRecorded"
    RESULTS_LEFT = "ResultsLeft"


class Outcome(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SUSPENDED = "Suspended"
    SUPERSEDED = "Superseded"


class FailureClass(StrEnum):
    """Who has to act on a failure: the job's author, or the cluster. The operator decides by what it observes; user
    code's claim counts only if pods corroborate it."""

    APPLICATION = "Application"
    INFRASTRUCTURE = "Infrastructure"


class Reason(StrEnum):
    """Why a job waits, runs or ended. The first are `wire.REASONS`, which a runner can report."""

    MODULE_NOT_FOUND = "ModuleNotFound"
    ENTRYPOINT_NOT_FOUND = "EntrypointNotFound"
    ENTRYPOINT_FAILED = "EntrypointFailed"
    TASK_FAILED = "TaskFailed"
    WORKERS_KILLED = "WorkersKilled"
    WORKERS_PAUSED = "WorkersPaused"
    NO_SUITABLE_WORKERS = "NoSuitableWorkers"
    NO_FREE_THREADS = "NoFreeThreads"
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
    FILES_CHANGED = "FilesChanged"
    SOURCE_NOT_FOUND = "SourceNotFound"
    REVISION_NOT_FOUND = "RevisionNotFound"
    SOURCE_FORBIDDEN = "SourceForbidden"
    SOURCE_REFUSED = "SourceRefused"
    SOURCE_UNREACHABLE = "SourceUnreachable"
    SOURCE_TIMED_OUT = "SourceTimedOut"
    GIT_MISSING = "GitMissing"
    PIP_FAILED = "PipFailed"
    STORE_DRIVER_MISSING = "StoreDriverMissing"
    STORE_NOT_FOUND = "StoreNotFound"
    STORE_FORBIDDEN = "StoreForbidden"
    STORE_UNAVAILABLE = "StoreUnavailable"
    PRELOAD_FAILED = "PreloadFailed"
    DASK_CUDA_MISSING = "DaskCudaMissing"
    WRONG_GPU_COUNT = "WrongGpuCount"
    VERSION_MISMATCH = "VersionMismatch"
    PAYLOAD_UNREADABLE = "PayloadUnreadable"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    ATTEMPT_DEADLINE_EXCEEDED = "AttemptDeadlineExceeded"

    INVALID_SPEC = "InvalidSpec"
    CONFIG_MAP_NOT_FOUND = "ConfigMapNotFound"
    PAYLOAD_MISSING = "PayloadMissing"
    SERVICE_ACCOUNT_NOT_FOUND = "ServiceAccountNotFound"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    CONTAINER_START_FAILED = "ContainerStartFailed"
    INIT_CONTAINER_FAILED = "InitContainerFailed"
    VOLUME_MOUNT_FAILED = "VolumeMountFailed"
    KUBERNETES_FAILED = "KubernetesFailed"
    UNSCHEDULABLE = "Unschedulable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    POD_REJECTED = "PodRejected"
    OPERATOR_FORBIDDEN = "OperatorForbidden"
    NAME_CONFLICT = "NameConflict"
    STARTUP_DEADLINE_EXCEEDED = "StartupDeadlineExceeded"
    STALLED = "Stalled"
    RUNNER_OOM_KILLED = "RunnerOOMKilled"
    RUNNER_DISRUPTED = "RunnerDisrupted"
    RUNNER_EVICTED = "RunnerEvicted"
    RUNNER_LOST = "RunnerLost"
    RUNNER_STOPPED = "RunnerStopped"
    SCHEDULER_OOM_KILLED = "SchedulerOOMKilled"
    CLUSTER_LOST = "ClusterLost"
    WORKER_OOM_KILLED = "WorkerOOMKilled"
    WORKERS_DISRUPTED = "WorkersDisrupted"

    # Not failures.
    WAITING = "Waiting"
    IMPORTING = "Importing"
    WORKERS_IDLE = "WorkersIdle"
    FIRE_AND_FORGET = "FireAndForget"
    WORKERS_READY = "WorkersReady"
    SUCCEEDED = "Succeeded"
    REPORT_MISSING = "ReportMissing"
    POLICY_NOT_IN_FORCE = "PolicyNotInForce"
    SAVED = "Saved"
    REPORT_LOST = "ReportLost"
    CLEANING_UP = "CleaningUp"
    CLEANED_UP = "CleanedUp"
    KEPT = "Kept"
    BACKING_OFF = "BackingOff"
    JOB_SUSPENDED = "JobSuspended"
    JOB_RESUMED = "JobResumed"
    SUPERSEDED = "Superseded"
    NAMESPACE_LIMIT = "NamespaceLimit"
    OPERATOR_LIMIT = "OperatorLimit"
    STARTUP_PACE = "StartupPace"
