"""When to ask how tasks are: few questions, and little delay.

Two sources tell when a task will end. The durations of earlier tasks of its kind give a
distribution (`durations`). Progress that grows evenly gives an interval, as narrow as
the service's steps are; then one early look, and one or two at the predicted end, are
enough. Services report progress that is coarse, stuck or invented, so it counts only
where it has proved right; and a queue at the service delays the start, so when work
began is learned too, and not taken to be when it was ordered.

Plain arithmetic: times are given, and so is the generator of chance.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from foxbatch.durations import Lognormal, Schedule, Sums, fit

Kind: TypeAlias = tuple[str, ...]
"""What tasks of about equal length have in common; the model comes first."""

LOOK_COST = 0.005
"""What one question is worth: so much of a task's duration as delay."""

_SHAPE = ("resolution", "duration", "generate_audio", "audio")
_EARLY = -2.45  # deviations: seven tasks in a thousand end before that
_LATE = 2.5  # and six in a thousand after this
_GROWTH = 0.15  # of what a task of an unknown kind has taken, until the next look
_JITTER = 0.1
_HINT_SIGMA = 0.6  # how far the service's own estimates are off, as a logarithm
_HINT_LEAST_S = 0.01
_HINT_MOST_S = 1800.0  # an estimate in milliseconds must not keep results waiting
_REFIT = 1.1  # times as many durations as the last time
_FEW = 3  # durations below which nothing is known about a kind
_MANY = 400  # durations, beyond which old ones fade
_SOME = 200  # unfinished tasks that stand for all
_RECENT = 32  # starts and predictions that count
_PROVEN = 5  # right predictions before progress alone is relied on
_RELIABLE = 0.75  # share of predictions that must be right
_FINEST = 0.002  # steps of progress that are told apart
_OFF = 0.02  # of the duration: a prediction that misses by more was wrong
_MOST_PARTS = 12
_GAINED = 1.5  # steps between two marks of which a rate can be made
_TELLING = 0.5  # progress up to where anything can be invented
_VAGUE = 0.4  # of the duration: that wide, an end is only known to be past
_NARROW = 0.12  # of the duration: what progress says beats what durations say
_REACH = 12.0  # times as long as progress was seen for, it is believed in advance
_PATIENCE = 5  # looks after the predicted end until a prediction is given up


def kind_of(request: Mapping[str, object]) -> Kind:
    """Return the kind of the task that *request* makes: what decides its length."""
    shape = (f"{name}={request[name]}" for name in _SHAPE if name in request)
    return (str(request.get("model", "")), *shape)


@dataclass(frozen=True, slots=True)
class Span:
    """An interval of seconds from when a task was accepted; empty if low > high."""

    low: float
    high: float

    def meet(self, other: Span) -> Span:
        """Return what both have in common."""
        return Span(max(self.low, other.low), min(self.high, other.high))

    @property
    def width(self) -> float:
        """Its length as a share of its end."""
        return 1.0 if self.high == math.inf else (self.high - self.low) / self.high

    @property
    def empty(self) -> bool:
        """Whether no moment is in it."""
        return self.low > self.high


@dataclass(frozen=True, slots=True)
class Mark:
    """Progress that was seen: at least *share* was done after *at* seconds."""

    at: float
    share: float


@dataclass(slots=True, kw_only=True, eq=False)
class Track:
    """One task that is being watched.

    Attributes:
        kind: What it has in common with others.
        began: When it was accepted, on the clock of all times given.
        hint_s: How long the service says it will take.
        alive_s: What it had taken when it was last seen unfinished.
        idle_s: What it had taken when it was last seen without any progress.
        marks: Its first progress and the latest.
        end: When it is predicted to end by its progress.
        overdue: Looks that found it unfinished after the end that was predicted then.
        trusted: Whether its own progress makes sense so far.
        confirmed: Whether a second mark has agreed with the first.
    """

    kind: Kind
    began: float
    hint_s: float | None = None
    alive_s: float = 0.0
    idle_s: float = -math.inf
    marks: list[Mark] = field(default_factory=list)
    end: Span | None = None
    overdue: int = 0
    trusted: bool = True
    confirmed: bool = False


class Lengths:
    """How long the tasks of one kind take.

    Attributes:
        running: Those that have not ended.
    """

    def __init__(self, cost: float) -> None:
        self.running: set[Track] = set()
        self._cost = cost
        self._finished = Sums()
        self._late: deque[float] = deque(maxlen=_SOME)
        self._count = 0
        self._fitted_at = 0
        self._faded = False
        self._looks: Schedule | None = None

    def learn(self, duration_s: float, *, late: bool) -> None:
        """Learn how long a task took, or by when it had ended if nobody had looked."""
        self._count += 1
        if late:
            self._late.append(math.log(duration_s))
            return
        self._finished.add(math.log(duration_s))
        if self._finished.count > _MANY + 8 * len(self.running):
            self._finished.fade()
            self._faded = True

    @property
    def looks(self) -> Schedule | None:
        """When to look where nothing else is known; None while too little is."""
        if self._count < _FEW:
            return None
        if self._looks is None or self._count >= self._fitted_at * _REFIT:
            self._looks = Schedule(self._fitted(), self._cost)
            self._fitted_at = self._count
        return self._looks

    def _fitted(self) -> Lognormal:
        # Once they are few among all, and old ones fade, the unfinished mislead: those
        # that began with them and ended long ago are forgotten.
        if self._faded:
            return fit(self._finished, (), self._late)
        alive = sorted(math.log(t.alive_s) for t in self.running if t.alive_s > 0)
        every = 1 + len(alive) // _SOME
        some = alive[every // 2 :: every]
        return fit(self._finished, some, self._late, weight=every)


class Habits:
    """How a model reports progress, and when it begins.

    Attributes:
        step: How fine progress is, as a share.
    """

    def __init__(self) -> None:
        self.step = 1.0
        self._shares: set[float] = {0.0, 1.0}
        self._starts: deque[Span] = deque(maxlen=_RECENT)
        self._start: Span | None = Span(0.0, 0.0)
        self._right: deque[bool] = deque(maxlen=_RECENT)

    def learn_step(self, share: float) -> None:
        """Learn how fine progress is: the least distance of any two that were seen."""
        if share in self._shares or self.step == _FINEST:
            return
        gap = min(abs(share - other) for other in self._shares)
        self.step = min(self.step, max(gap, _FINEST))
        self._shares.add(share)

    def learn_start(self, start: Span) -> None:
        """Learn when the work on a task began."""
        self._starts.append(start)
        self._start = None

    @property
    def start(self) -> Span:
        """When work begins, in seconds from acceptance; without evidence at once.

        Each start is known as an interval only. Where nearly all have something in
        common, that is it: the more are known, the narrower it gets. Else they differ.
        """
        if self._start is None:
            lows = sorted(span.low for span in self._starts)
            highs = sorted(span.high for span in self._starts)
            spare = len(lows) // 8
            common = Span(lows[-1 - spare], highs[spare])
            if common.empty:  # they differ, so the next one may be beyond any of these
                more = (lows[-1] - highs[0]) / 2
                low = max(0.0, highs[0] - more)
                common = Span(low, max(low, lows[-1] + more))
            self._start = common
        return self._start

    def judge(self, *, right: bool) -> None:
        """Learn whether progress has predicted something well."""
        self._right.append(right)

    @property
    def proven(self) -> bool:
        """Whether progress alone can be relied on."""
        return sum(self._right) >= _PROVEN and self.plausible

    @property
    def plausible(self) -> bool:
        """Whether progress is right often enough, as far as is known."""
        return sum(self._right) + 1 >= _RELIABLE * (len(self._right) + 1)


def by_rate(first: Mark, last: Mark, step: float) -> Span:
    """Return when a task ends whose progress goes on as between two marks."""
    passed_s, gained = last.at - first.at, last.share - first.share
    slowest = (gained - step) / passed_s
    fastest = (gained + step) / passed_s
    high = last.at + (1 - last.share) / slowest if slowest > 0 else math.inf
    return Span(last.at + max(0.0, 1 - last.share - step) / fastest, high)


def by_start(mark: Mark, start: Span, step: float) -> Span:
    """Return when a task ends whose work began at *start*."""
    late, early = min(start.high, mark.at), min(start.low, mark.at)
    low = late + (mark.at - late) / min(1.0, mark.share + step)
    high = early + (mark.at - early) / mark.share if mark.share > 0 else math.inf
    return Span(max(low, mark.at), high)


def start_of(mark: Mark, end: Span, step: float) -> Span:
    """Return when work began on a task that has ended, by one mark."""
    return Span(
        _back(mark, end.high, min(0.999, mark.share + step)),
        _back(mark, end.low, mark.share),
    )


def _back(mark: Mark, end_s: float, share: float) -> float:
    return mark.at - share * (end_s - mark.at) / (1 - share)


def parts_of(width: float, cost: float) -> int:
    """Return in how many parts to look through an interval where an end must be.

    With n equal parts there are (n + 1) / 2 looks and a delay of width / 2 n, both on
    average; *width* and *cost* are shares of the duration.
    """
    return max(1, min(_MOST_PARTS, round(math.sqrt(width / cost))))


def _price(width: float, cost: float) -> float:
    parts = parts_of(width, cost)
    return cost * (parts + 1) / 2 + width / (2 * parts)


class Forecast:
    """Says when to look at each task. One for all tasks of a run.

    Args:
        least_gap_s: Between two looks at one task, at least.
        first_s: Until the first look at a task about which nothing is known.
        rng: Spreads looks at tasks that were ordered together.
        cost: What one look is worth, as a share of a task's duration.
    """

    def __init__(
        self,
        *,
        least_gap_s: float,
        first_s: float,
        rng: random.Random,
        cost: float = LOOK_COST,
    ) -> None:
        self._least_gap_s = least_gap_s
        self._first_s = first_s
        self._rng = rng
        self._cost = cost
        self._lengths: dict[Kind, Lengths] = {}
        self._habits: dict[Kind, Habits] = {}
        self._hinted: dict[float, Schedule] = {}

    def remember(self, kind: Kind, durations_s: Iterable[float]) -> None:
        """Learn how long tasks of *kind* took in earlier runs, in seconds."""
        for duration_s in durations_s:
            for one in dict.fromkeys((kind, kind[:1])):
                lengths = self._lengths.setdefault(one, Lengths(self._cost))
                lengths.learn(duration_s, late=False)

    def watch(self, kind: Kind, began: float, hint_s: float | None = None) -> Track:
        """Return a task that was accepted at *began*; it counts until it is left."""
        track = Track(kind=kind, began=began, hint_s=hint_s)
        for lengths in self._all_lengths(track):
            lengths.running.add(track)
        return track

    def leave(self, track: Track) -> None:
        """Watch *track* no longer; nothing is learned from that."""
        for lengths in self._all_lengths(track):
            lengths.running.discard(track)

    def _all_lengths(self, track: Track) -> Iterator[Lengths]:
        """Yield where to learn from *track*: its kind, and all tasks of its model."""
        for kind in dict.fromkeys((track.kind, track.kind[:1])):
            yield self._lengths.setdefault(kind, Lengths(self._cost))

    def habits(self, track: Track) -> Habits:
        """Return what is known of how the model of *track* reports progress."""
        return self._habits.setdefault(track.kind[:1], Habits())

    def ended(self, track: Track, now: float) -> None:
        """Learn from the end of a task, which was noticed at *now*; leave it."""
        self.leave(track)
        noticed_s = now - track.began
        if noticed_s <= 0:
            return
        if not track.alive_s:
            self._learn(track, noticed_s, late=True)
            return
        habits, when = self.habits(track), Span(track.alive_s, noticed_s)
        if track.end is not None and track.trusted:
            slack_s = _OFF * noticed_s
            wide = Span(track.end.low - slack_s, track.end.high + slack_s)
            right = not wide.meet(when).empty
            if when.width < _NARROW:
                habits.judge(right=right)
            elif noticed_s < track.end.low or not right:
                habits.judge(right=False)  # a look long ago proves nothing else
            if not track.end.meet(when).empty:
                when = track.end.meet(when)
        if when.width > _VAGUE:
            self._learn(track, noticed_s, late=True)
        else:
            self._learn(track, (when.low + when.high) / 2, late=False)
        if track.marks and track.trusted:
            habits.learn_start(start_of(track.marks[0], when, habits.step))

    def _learn(self, track: Track, duration_s: float, *, late: bool) -> None:
        for lengths in self._all_lengths(track):
            lengths.learn(duration_s, late=late)

    def seen(self, track: Track, now: float, progress: float | None) -> None:
        """Take in that a task had not ended at *now*, and its *progress*, 0 to 100."""
        at = track.alive_s = now - track.began
        if progress is None:
            return
        share = min(1.0, max(0.0, progress / 100))
        habits = self.habits(track)
        habits.learn_step(share)
        if share >= 1:  # it says that it has ended, and it has not
            track.trusted = False
        elif share == 0 and not track.marks:
            track.idle_s = at
        elif track.trusted:
            _mark(track, habits, Mark(at, share))

    def wait_s(self, track: Track, now: float) -> float:
        """Return in how many seconds to look at a task, for the first time or again."""
        at = now - track.began
        return max(self._next(track, at) - at, self._least_gap_s)

    def _next(self, track: Track, at: float) -> float:
        habits, looks = self.habits(track), self._looks(track)
        if looks is not None and habits.proven and not track.alive_s:
            return looks.ends.at(_EARLY) * (1 - _JITTER * self._rng.random())
        blind = self._blind(track, looks, at)
        if track.end is None or not (track.trusted and habits.plausible):
            return blind
        aim = self._aim(track, track.end, looks, at)
        if not habits.proven:
            return min(aim, blind)
        # Nor is it forgotten if it stands still, or if little is told of much.
        told_s = track.marks[-1].at - track.marks[0].at
        most = at + _REACH * (told_s or math.inf)
        if looks is not None:
            most = min(most, max(blind, looks.ends.at(_LATE)))
        return min(aim, most)

    def _looks(self, track: Track) -> Schedule | None:
        """Return the best guess at when to look at a task like this one."""
        for lengths in self._all_lengths(track):
            if lengths.looks is not None:
                return lengths.looks
        if not track.hint_s or track.hint_s < 0:
            return None
        hint_s = min(max(track.hint_s, _HINT_LEAST_S), _HINT_MOST_S)
        if hint_s not in self._hinted:
            ends = Lognormal(math.log(hint_s), _HINT_SIGMA)
            self._hinted[hint_s] = Schedule(ends, self._cost)
        return self._hinted[hint_s]

    def _blind(self, track: Track, looks: Schedule | None, at: float) -> float:
        """Return when to look at a task of which only the age is known."""
        spread = 1 + _JITTER * (self._rng.random() - 0.5)
        if looks is not None:
            return at + (looks.after(at) - at) * spread
        if not track.alive_s:
            return at + self._first_s
        return at + max(self._least_gap_s, _GROWTH * at) * spread

    def _aim(self, track: Track, end: Span, looks: Schedule | None, at: float) -> float:
        """Return when to look at a task whose progress tells when it ends."""
        if at >= end.high:
            return at + max(_GROWTH * at, self._least_gap_s)
        left, gap_s = Span(max(end.low, at), end.high), self._least_gap_s
        step = min(self.habits(track).step, left.width)
        again = self._cost + _price(step, self._cost)
        before = left.low - gap_s
        if before > at + gap_s and again < _price(left.width, self._cost):
            return before
        if left.width > _NARROW:
            return min(self._blind(track, looks, left.low), left.high)
        parts = parts_of(left.width, self._cost)
        if gap_s > 0:  # what may not be looked at twice is looked at once, at its end
            parts = max(1, min(parts, int((left.high - left.low) / gap_s)))
        return left.low + (left.high - left.low) / parts


def _mark(track: Track, habits: Habits, mark: Mark) -> None:
    """Predict when *track* ends from its progress so far, and *mark*."""
    step, marks = habits.step, track.marks
    if track.end is not None and marks:
        slack = 2 * step + 2 * _OFF
        track.overdue += mark.at > track.end.high
        back = mark.share < marks[-1].share
        behind = mark.share < _due(marks[-1], mark.at, track.end.high) - slack
        if back or behind or track.overdue > _PATIENCE:
            track.trusted = False
            habits.judge(right=False)
            return
        if mark.share > _due(marks[-1], mark.at, track.end.low) + slack:
            habits.judge(right=False)
    marks[1:] = [mark]
    start = habits.start
    if track.idle_s > start.high:  # it had not begun when others had
        start = Span(track.idle_s, mark.at)
    span = by_start(mark, start, step)
    if mark.share - marks[0].share > _GAINED * step and mark.at > marks[0].at:
        rate = by_rate(marks[0], mark, step)
        both = rate.meet(span)
        if both.empty:
            habits.learn_start(start_of(marks[0], rate, step))
            both = rate
        elif not track.confirmed and mark.share > _TELLING:
            track.confirmed = True
            habits.judge(right=True)
        span = both
    track.end = Span(max(span.low, mark.at), max(span.high, mark.at))


def _due(last: Mark, at: float, end_s: float) -> float:
    """Return the share that is done at *at* if progress is even until *end_s*."""
    passed, left_s = at - last.at, end_s - last.at
    done = last.share + (1 - last.share) * passed / left_s if left_s > 0 else 1.0
    return min(1.0, done)
