"""What users do in the state machine. `delivered`: whether an operator gets the change at once and runs a pass."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from .forgeries import FORGED, Forgery, forge, forgeries
from .model_cluster import ModelCluster
from .retention_invariants import is_held
from .strategies import CODE, RESULTS, edits, fit, indexes, names, specs
from .world import OF_STRANGERS

whims = st.integers(0, 3)
delivered = st.booleans()


#: A finalizer of somebody else's.
HOLD = "example.com/hold"


def is_editable(job: Any) -> bool:
    return bool(job["spec"].get("runPolicy") == "OnChange")


class Users(ModelCluster):
    @precondition(lambda self: len(self.jobs()) < 3)
    @rule(name=names, spec=specs(), delivered=delivered)
    def apply(self, name: str, spec: dict[str, Any], delivered: bool) -> None:
        if self.server.find("DaskJob", name) is None:
            self.apply_job(name, spec)
            self.wake_operator(name, delivered)

    @precondition(lambda self: self.jobs())
    @rule(name=names, whim=whims, held=st.booleans(), delivered=delivered)
    def delete_job(self, name: str, whim: int, held: bool, delivered: bool) -> None:
        """`held`: somebody's finalizer does not let it go yet."""
        job = self.server.objects["DaskJob", self.one(name)]
        metadata = job["metadata"]
        if whim == 3 and held and "deletionTimestamp" not in metadata:
            finalizers = [HOLD, *metadata.get("finalizers", ())]
            self.server.update("DaskJob", self.one(name), metadata={**metadata, "finalizers": finalizers})
        # Those whose results go with them are seldom, and each is worth a look.
        if whim == 3 or is_held(job):
            self.server.delete("DaskJob", self.one(name), self.world.text())
        self.wake_operator(name, delivered)

    @precondition(lambda self: self.server.find("ConfigMap", "code") is None)
    @rule()
    def bring_code(self) -> None:
        self.server.create("ConfigMap", {"metadata": {"name": "code"}}, self.world.text())

    @rule(kind=st.sampled_from(["DaskCluster", "Pod", "DaskJobReport"]), whim=whims, index=indexes)
    def delete_something(self, kind: str, whim: int, index: int) -> None:
        bodies = self.world.all(kind)
        if bodies and whim == 3:
            self.server.delete(kind, bodies[index % len(bodies)]["metadata"]["name"], self.world.text())

    @precondition(lambda self: self.jobs())
    @rule(name=names, suspend=st.booleans(), delivered=delivered)
    def suspend(self, name: str, suspend: bool, delivered: bool) -> None:
        self.edit(self.one(name), suspend=suspend)
        self.wake_operator(name, delivered)

    @precondition(lambda self: self.jobs())
    @rule(name=names, change=edits, delivered=delivered)
    def edit_terms(self, name: str, change: tuple[str, Any], delivered: bool) -> None:
        """What applies from then on."""
        field, value = change
        spec = self.server.objects["DaskJob", self.one(name)]["spec"]
        self.edit(self.one(name), **fit({**spec, field: value}), **({field: None} if value is None else {}))
        self.wake_operator(name, delivered)

    @precondition(lambda self: any(map(is_editable, self.jobs())))
    @rule(
        index=indexes,
        graph=st.sampled_from(CODE),
        result=st.sampled_from(RESULTS),
        invalid=st.sampled_from([False] * 7 + [True]),
        delivered=delivered,
    )
    def edit_run(
        self, index: int, graph: dict[str, Any], result: dict[str, Any] | None, invalid: bool, delivered: bool
    ) -> None:
        """What is another run."""
        jobs = [each for each in self.jobs() if is_editable(each)]
        name = jobs[index % len(jobs)]["metadata"]["name"]
        runner = {"template": {"spec": {"hostNetwork": True}}} if invalid else {}
        self.edit(name, graph=graph, result=result, runner=runner)
        self.wake_operator(name, delivered)

    @precondition(lambda self: self.jobs())
    @rule(name=names, text=st.sampled_from(["", "a", "b"]), delivered=delivered)
    def rerun(self, name: str, text: str, delivered: bool) -> None:
        self.world.ask_to_rerun(self.one(name), text)
        self.wake_operator(name, delivered)

    @precondition(lambda self: self.jobs())
    @rule(name=names, kind=st.sampled_from(sorted(FORGED)), takes=st.booleans(), forgery=forgeries, delivered=delivered)
    def forge(self, name: str, kind: str, takes: bool, forgery: Forgery, delivered: bool) -> None:
        """Somebody who may create any object copies what there is to copy. `takes`: under a name that the attempt
        needs, if nothing has it yet."""
        job = self.server.objects["DaskJob", self.one(name)]
        forged = forge(self.server, job, kind, takes, forgery)
        if self.server.find(kind, forged["metadata"]["name"]) is None:
            self.server.create(kind, forged, self.world.text(), OF_STRANGERS)
            self.wake_operator(name, delivered)
