"""Counts what each stranger takes, in memory that has a bound; time is an argument."""

from collections import Counter, OrderedDict
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    level: float
    at_s: float


class Buckets:
    """A token bucket for each key: it fills at a rate, holds a burst, and is spent from.

    At most `most` keys are remembered; the one that was unused for longest is forgotten first,
    which by then has mostly filled up again.
    """

    def __init__(self, rate: float, burst: float, most: int = 10_000) -> None:
        """Fill at `rate` a second up to `burst`."""
        self._rate = rate
        self._burst = burst
        self._most = most
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, key: str, amount: float, now_s: float) -> bool:
        """Take the amount, if anything is left; return whether it was."""
        if self._filled(key, now_s).level <= 0:
            return False
        self.spend(key, amount, now_s)
        return True

    def spend(self, key: str, amount: float, now_s: float) -> float:
        """Take the amount in any case; return the seconds until nothing is owed any more."""
        bucket = self._filled(key, now_s)
        bucket.level -= amount
        return max(0.0, -bucket.level / self._rate)

    def _filled(self, key: str, now_s: float) -> _Bucket:
        bucket = self._buckets.setdefault(key, _Bucket(self._burst, now_s))
        self._buckets.move_to_end(key)
        gained = max(0.0, now_s - bucket.at_s) * self._rate
        bucket.level = min(self._burst, bucket.level + gained)
        bucket.at_s = now_s
        while len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return bucket


class Places:
    """So many places for each key, taken and given back."""

    def __init__(self, each: int) -> None:
        """Have `each` places for every key."""
        self.each = each
        self._taken: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._taken)

    def take(self, key: str) -> bool:
        """Take a place, if there is one; return whether there was."""
        if self._taken[key] >= self.each:
            return False
        self._taken[key] += 1
        return True

    def give_back(self, key: str) -> None:
        """Free a place that was taken."""
        self._taken[key] -= 1
        if self._taken[key] <= 0:
            del self._taken[key]
