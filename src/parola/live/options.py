"""Sees that a session's engine can do what the source asks of it, before any of its audio."""

from parola.domain.errors import BadMessage
from parola.live.session import SessionPlan
from parola.ports import Engine, StreamRequest, TakesOptions


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
    request = StreamRequest(
        plan.language, plan.session, plan.first_frame, plan.room, plan.terms, plan.options
    )
    engine.check_options(request)
