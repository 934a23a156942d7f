"""Interleaved measurement: what is compared is measured in turns, round by round, and ratios are medians of ratios within a round.

On a shared machine the same loop may take twice as long a second later; a ratio of neighbouring turns hardly moves. The clock counts
the processor time of all threads of the process, so a peer that hides work in threads of its own gains nothing.
"""

import contextlib
import ctypes
import gc
import statistics
import time


class Contender:
    """One way to do a job. `run` does it once; `roof` gives the seconds that the machine's limits allow for it, measured now."""

    def __init__(self, name, run, roof=None, unit_calls=1):
        self.name, self.run, self.roof, self.unit_calls = name, run, roof, unit_calls
        self.calls, self.rounds, self.times, self.of_roof = 1, 1, {}, []
        self.first = self.extra = None  # seconds of a first run, MiB

    def turn(self, clock):
        start = clock()
        for _ in range(self.calls):
            self.run()
        return (clock() - start) / self.calls / self.unit_calls

    @property
    def seconds(self):
        return statistics.median(self.times.values())

    @property
    def roof_share(self):
        return statistics.median(self.of_roof) if self.of_roof else None

    def ratio(self, base):
        """Time over the time of `base`, in the rounds that both were measured in."""
        common = self.times.keys() & base.times.keys()
        return statistics.median(self.times[r] / base.times[r] for r in common)


def interleave(contenders, rounds, turn, budget, clock=time.process_time):
    """Measures the contenders for some rounds, in an order that rotates. A turn lasts at least `turn` seconds; a contender whose
    turns would take more than `budget` seconds in all takes part in fewer rounds."""
    gc.collect()
    gc.disable()
    for c in contenders:
        once = c.first if c.first and c.first > 10 * turn else max(c.turn(clock) * c.unit_calls, 1e-7)
        c.calls = max(1, round(turn / once))
        c.rounds = max(1, min(rounds, int(budget / (once * c.calls))))
    for r in range(rounds):
        shift = r % len(contenders)
        for c in contenders[shift:] + contenders[:shift]:
            if r >= c.rounds:
                continue
            before = c.roof() if c.roof else None
            c.times[r] = c.turn(clock)
            if c.roof:
                c.of_roof.append((before + c.roof()) / 2 / c.times[r])
    gc.enable()


def memory_of(setup):
    """Runs `setup` and once what it returns: that, its seconds, and by how many MiB memory peaked above what was there before."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # or memory that was freed before would be used again unseen
    before = _memory("VmRSS")
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
    except OSError:
        before = None
    run = setup()
    start = time.process_time()
    run()
    first = time.process_time() - start
    peak = _memory("VmHWM")
    return run, first, None if before is None or peak is None else max(0.0, peak - before)


def _memory(field):
    try:
        with open("/proc/self/status") as f:
            return next(int(line.split()[1]) / 1024 for line in f if line.startswith(field))
    except (OSError, StopIteration):
        return None
