"""docs/pod-templates.md says of every field what the rules say."""

from __future__ import annotations

import re
from pathlib import Path

from daskjob.manifests.allowed_fields import RULES
from daskjob.manifests.pod_judgement import LONGEST_GRACE, OPENED_BY
from daskjob.manifests.template import HARMLESS, SELECTED
from daskjob.manifests.words import WORDS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "pod-templates.md").read_text()
#: The first cell of each row of the table of words, and the others.
ROWS = dict(re.findall(r"^\| (.*?) \| (.*) \|$", PAGE.split("## ")[2], re.MULTILINE))
#: Told together, as probes and the like.
SUMMED = {
    *("Container", "name", "livenessProbe", "readinessProbe", "startupProbe", "stdinOnce", "restartPolicy", "volumes"),
    *("readOnlyRootFilesystem", "fsGroup", "fsGroupChangePolicy", "runAsGroup", "runAsNonRoot", "runAsUser"),
    *("supplementalGroups", "supplementalGroupsPolicy", "seLinuxChangePolicy", "seLinuxOptions", "seccompProfile"),
    *("sysctls", "appArmorProfile", "securityContext", "os", "command", "volumeMounts", "capabilities", "tolerations"),
    *("labelSelector", "matchLabelKeys", "mismatchLabelKeys", "topologyKey", "apiGroup", "kind"),
}


def test_every_word_is_explained() -> None:
    assert [cell.strip("`") for cell in ROWS if cell.strip("`") in WORDS] == list(WORDS)


def test_every_field_is_there() -> None:
    for rules in RULES.values():
        for name, rule in rules.items():
            where = ROWS[f"`{rule.word}`"] if rule.word else PAGE
            assert re.search(rf"\b{name}\b", where) or name in SUMMED, f"{name} {rule}"


def test_what_a_word_opens_of_the_pod_security_standards_is_in_its_row() -> None:
    for control, word in OPENED_BY.items():
        field = control.removesuffix("[]").rpartition(".")[2]
        named = "capabilities.add" if field == "add" else field
        assert f"{named}`" in ROWS[f"`{word}`"] or field == "volumes", control


def test_labels_annotations_and_bounds() -> None:
    for key in (*HARMLESS, *SELECTED):
        assert f"`{key}`" in PAGE
    assert f"at most {LONGEST_GRACE}" in PAGE
