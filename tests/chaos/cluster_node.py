"""A real node that also writes down what it says, and when: `… JOURNAL serve OPTIONS`.

The clock is the machine's own, the same for all nodes here, so that the journals can be compared.
"""

import sys
from pathlib import Path

from parola.buses import redis
from parola.cli import main
from parola.ports import Answered, Asked, RoomEvent, RoomState
from parola.stores.redis_leases import monotonic

Journal = tuple[float, str, int]
"""When, the room, and the number of the lease under which something was shown."""


class JournalledBus(redis.RedisBus):
    """A bus that keeps a journal of what this node says."""

    journal: Path

    async def publish(self, room: str, event: RoomEvent) -> None:
        if not isinstance(event, RoomState | Asked | Answered):
            with self.journal.open("a") as file:
                file.write(f"{monotonic():.6f} {self._leases.fence(room)} {room}\n")
        await super().publish(room, event)


def read_journal(path: Path) -> list[Journal]:
    """Return what a node has written down."""
    if not path.exists():
        return []
    lines = (line.split(" ", 2) for line in path.read_text().splitlines())
    return [(float(at), room, int(fence)) for at, fence, room in lines]


if __name__ == "__main__":
    JournalledBus.journal = Path(sys.argv.pop(1))
    from parola import wiring_stores

    vars(wiring_stores)["RedisBus"] = JournalledBus
    main()
