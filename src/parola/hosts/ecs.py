"""Asks the container agent of Amazon ECS not to end this task while it has talks.

A deployment or scaling in then leaves the task alone until the protection is given back or runs
out. Nothing else is: a machine that dies, or a task that is stopped by hand, ends all the same.
Source: Amazon ECS Developer Guide, "Task scale-in protection endpoint".
"""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from parola.blocking import in_thread
from parola.domain.errors import HostFailed

PATH = "/task-protection/v1/state"

PATIENCE_S = 3.0
"""How long the agent, which is on the same machine, may take to answer."""


class EcsTask:
    """This task, as its container agent knows it."""

    def __init__(self, agent_uri: str) -> None:
        self._url = agent_uri.rstrip("/") + PATH
        # The agent's address is this machine's own: no proxy reaches it.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    async def protect(self, minutes: int) -> None:
        await self._put({"ProtectionEnabled": True, "ExpiresInMinutes": minutes})

    async def release(self) -> None:
        await self._put({"ProtectionEnabled": False})

    async def _put(self, state: Mapping[str, Any]) -> None:
        answer = await in_thread(lambda: self._ask(state))
        wanted = state["ProtectionEnabled"]
        protection = answer.get("protection") if isinstance(answer, dict) else None
        if not isinstance(protection, dict) or protection.get("ProtectionEnabled") is not wanted:
            raise HostFailed(f"{self._told(answer)}; {REMEDY}")

    def _ask(self, state: Mapping[str, Any]) -> Any:  # noqa: ANN401 - whatever JSON it answers
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - the address that ECS has set
            self._url, json.dumps(state).encode(), headers, method="PUT"
        )
        try:
            with self._opener.open(request, timeout=PATIENCE_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return self._read(error)
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", error)
            raise HostFailed(f"The agent of ECS does not answer ({why}); {REMEDY}") from error

    @staticmethod
    def _read(error: urllib.error.HTTPError) -> Any:  # noqa: ANN401 - whatever JSON it answers
        try:
            return json.load(error)
        except (OSError, ValueError):
            return {"error": {"Message": f"status {error.code}"}}

    @staticmethod
    def _told(answer: Any) -> str:  # noqa: ANN401 - whatever JSON it answers
        """Return what the agent said, in the three ways that it has."""
        fields = answer if isinstance(answer, dict) else {}
        trouble = fields.get("failure") or fields.get("error") or {}
        if not isinstance(trouble, dict):
            trouble = {}
        words = [trouble.get(name) for name in ("Code", "Reason", "Message", "Detail")]
        said = ": ".join(str(word) for word in words if word) or "nothing of use"
        return f"The agent of ECS refuses to protect this task ({said})"


REMEDY = "a deployment may cut talks off; see docs/howto/aws.md, task protection."
