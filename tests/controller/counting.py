"""What the registry has, and by how much it has grown."""

from __future__ import annotations

from daskjob.controller import metrics

STAGES = ("queued", "startup", "run", "finish", "cleanup")


def value(name: str, /, **labels: str) -> float:
    """0 where there is no such series."""
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def series() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Everything that was counted, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in metrics.REGISTRY.collect()
        if family.name.startswith("daskjob_")
        for sample in family.samples
    }


class Increase:
    """By how much series have grown since this was made."""

    def __init__(self) -> None:
        self.before = series()

    def __call__(self, name: str, /, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return series().get(key, 0.0) - self.before.get(key, 0.0)

    def of(self, prefix: str) -> dict[str, float]:
        """All that have grown and begin so: the labels' values, with what they grew by."""
        now = series()
        return {
            " ".join(each for _, each in labels): value - self.before.get((name, labels), 0.0)
            for (name, labels), value in now.items()
            if name.startswith(prefix) and value != self.before.get((name, labels), 0.0)
        }

    def stages(self) -> dict[str, float]:
        """Seconds by stage, of those that were observed once."""
        name = "daskjob_job_stage_duration_seconds"
        seen = {stage for stage in STAGES if self(f"{name}_count", stage=stage) == 1}
        return {stage: round(self(f"{name}_sum", stage=stage), 3) for stage in STAGES if stage in seen}
