"""Whether the admission policy is in force that lets a runner write only its own report.

Without it, the operator gives no runner a token.
"""

from __future__ import annotations

import logging

from daskjob.errors import ApiError
from daskjob.kube.client import KubeClient
from daskjob.kube.resources import POLICIES, POLICY_BINDINGS

logger = logging.getLogger(__name__)

#: Seconds until the next check if the policy is in force, and if it is not.
INTERVAL = 3600.0
SOON = 10.0


async def policy_in_force(client: KubeClient, name: str) -> bool:
    """Whether policy and binding of that name exist and deny; False also without a name or an answer."""
    if not name:
        return False
    try:
        policy = await client.get(POLICIES, None, name)
        binding = await client.get(POLICY_BINDINGS, None, name)
    except ApiError as error:
        logger.warning("the policy %s on reports cannot be looked at, so runners get no token: %s", name, error)
        return False
    bound = (binding or {}).get("spec") or {}
    denies = bound.get("policyName") == name and "Deny" in (bound.get("validationActions") or ())
    found = policy is not None and denies
    if not found:
        logger.warning(
            "the ValidatingAdmissionPolicy %s, or its binding, is missing or does not deny: runners get no token, so "
            "jobs show no progress, and results only as far as they fit a termination message; the chart installs it",
            name,
        )
    return found
