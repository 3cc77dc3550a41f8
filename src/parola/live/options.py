"""Sees that a session's engine can do what the source asks of it, before any of its audio."""

from dataclasses import replace

from parola.domain.errors import BadMessage
from parola.live.channels import hears_channels
from parola.live.session import SessionPlan
from parola.ports import Engine, TakesOptions


def check_options(engine: Engine, plan: SessionPlan) -> None:
    """Do nothing, if the engine takes the plan's options.

    Raises:
        BadMessage: it does not; the message says what it would take.
    """
    if not plan.options:
        return
    if not isinstance(engine, TakesOptions):
        named = ", ".join(sorted(plan.options))
        raise BadMessage(
            f"The engine {engine.name} has no options, and not {named}; leave engine_options out, "
            "or have the server started with the engine they are for."
        )
    engine.check_options(plan.request())


def of_recording(engine: Engine, plan: SessionPlan, rate_hz: int, channels: int) -> SessionPlan:
    """Return the plan of a recording, now that its sound is known.

    Its two channels are worth decoding for an engine that hears them; any other gets their mean.

    Raises:
        BadMessage: the engine was asked for what it cannot do with such a recording.
    """
    plan = replace(plan, rate_hz=rate_hz)
    apart = replace(plan, channels=2)
    if channels == 2 and hears_channels(engine, apart.request()):
        return apart
    check_options(engine, plan)
    return plan
