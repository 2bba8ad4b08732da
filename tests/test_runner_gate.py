from __future__ import annotations

import pytest

from foxbatch.errors import ExitCode
from foxbatch.policy import RetryPolicy
from foxbatch.runner.gate import PROBES_AFTER_S, UNREACHED_S, Answer, Gate, Halt


@pytest.fixture
def gate() -> Gate:
    return Gate(RetryPolicy())


def learnt(gate: Gate, *answers: Answer, at: float = 0.0) -> Halt | None:
    """Teach *gate* by POSTs that began and ended at *at*; say its last word."""
    verdicts = [gate.learn(answer, at, began=at) for answer in answers]
    return verdicts[-1]


def paused(gate: Gate) -> Gate:
    learnt(gate, Answer.GOOD, *[Answer.UNKNOWN] * 5)
    return gate


class TestTheFirstPost:
    def test_goes_alone(self, gate: Gate) -> None:
        assert gate.opens(0, under_way=0)
        assert not gate.opens(0, under_way=1)

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(Answer.GOOD, id="accepted"),
            pytest.param(Answer.NO, id="refused for its input"),
        ],
    )
    def test_opens_the_gate_for_all_when_the_address_answers(
        self, gate: Gate, answer: Answer
    ) -> None:
        learnt(gate, answer)

        assert gate.opens(0, under_way=7)

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(Answer.BUSY, id="not now"),
            pytest.param(Answer.UNREACHED, id="nobody there"),
            pytest.param(Answer.UNKNOWN, id="an outage would take all others along"),
        ],
    )
    def test_keeps_the_gate_when_nothing_is_proven(
        self, gate: Gate, answer: Answer
    ) -> None:
        learnt(gate, answer)

        soon = UNREACHED_S[0]
        assert gate.opens(soon, under_way=0)
        assert not gate.opens(soon, under_way=1)

    def test_halts_the_batch_when_it_brings_no_id(self, gate: Gate) -> None:
        halt = learnt(gate, Answer.NO_ID)

        assert halt is not None
        assert halt.exit_code is ExitCode.REFUSED

    def test_is_over_once_something_was_accepted(self, gate: Gate) -> None:
        assert learnt(gate, Answer.GOOD, Answer.NO_ID) is None


class TestNobodyThere:
    def test_one_post_at_a_time_finds_out_after_waits_that_grow(
        self, gate: Gate
    ) -> None:
        learnt(gate, Answer.GOOD)

        for wait_s in (0.25, 0.5, 1, 2, 4, 8, 16, 16):
            learnt(gate, Answer.UNREACHED, at=100)
            assert not gate.opens(99.99 + wait_s, under_way=0)
            assert gate.opens(100 + wait_s, under_way=0)
            assert not gate.opens(100 + wait_s, under_way=1)

    def test_an_answer_opens_for_all(self, gate: Gate) -> None:
        learnt(gate, *[Answer.UNREACHED] * 5)

        learnt(gate, Answer.GOOD, at=1)

        assert gate.opens(1, under_way=7)
        learnt(gate, Answer.UNREACHED, at=2)
        assert gate.opens(2 + UNREACHED_S[0], under_way=0)

    def test_an_answer_to_a_poll_does_as_well(self, gate: Gate) -> None:
        learnt(gate, Answer.GOOD, *[Answer.UNREACHED] * 5)

        gate.reached()

        assert gate.opens(0, under_way=1)

    def test_an_answer_to_a_poll_proves_no_address_for_posts(self, gate: Gate) -> None:
        learnt(gate, Answer.UNREACHED)

        gate.reached()

        assert gate.opens(0, under_way=0)
        assert not gate.opens(0, under_way=1)

    def test_an_answer_to_a_poll_ends_no_pause(self, gate: Gate) -> None:
        paused(gate)
        learnt(gate, Answer.UNREACHED, at=1)

        gate.reached()

        assert not gate.opens(59, under_way=0)


class TestUnknownOutcomes:
    def test_four_in_a_row_change_nothing(self, gate: Gate) -> None:
        learnt(gate, Answer.GOOD, *[Answer.UNKNOWN] * 4)

        assert gate.opens(0, under_way=7)

    def test_an_acceptance_between_them_starts_the_row_anew(self, gate: Gate) -> None:
        row = [Answer.UNKNOWN] * 4
        learnt(gate, *row, Answer.GOOD, *row)

        assert not gate.paused

    def test_five_in_a_row_pause_for_a_minute(self, gate: Gate) -> None:
        paused(gate)

        assert not gate.opens(59.9, under_way=0)
        assert gate.opens(60, under_way=0)

    def test_answers_without_an_id_count_too(self, gate: Gate) -> None:
        learnt(gate, Answer.GOOD, *[Answer.NO_ID] * 5)

        assert gate.paused

    def test_a_probe_goes_alone(self, gate: Gate) -> None:
        paused(gate)

        assert not gate.opens(60, under_way=1)

    def test_an_accepted_probe_resumes(self, gate: Gate) -> None:
        paused(gate)

        learnt(gate, Answer.GOOD, at=60)

        assert gate.opens(60, under_way=7)

    @pytest.mark.parametrize(
        "answer", [Answer.NO, Answer.BUSY, Answer.UNREACHED], ids=str
    )
    def test_a_probe_that_says_nothing_about_the_outage_is_followed_by_another(
        self, gate: Gate, answer: Answer
    ) -> None:
        paused(gate)

        learnt(gate, answer, at=60)

        assert gate.opens(60 + UNREACHED_S[0], under_way=0)
        assert not gate.opens(60, under_way=1)

    def test_probes_come_later_and_later_and_the_fourth_that_fails_halts(
        self, gate: Gate
    ) -> None:
        paused(gate)
        now, halts = 0.0, []
        for wait_s in PROBES_AFTER_S:
            assert gate.not_before == now + wait_s
            now += wait_s
            halts.append(learnt(gate, Answer.UNKNOWN, at=now))

        assert halts[:3] == [None, None, None]
        assert halts[3] is not None
        assert halts[3].exit_code is ExitCode.UNREACHABLE
        assert "9 submissions in a row" in halts[3].why

    def test_what_began_before_the_pause_is_no_probe_however_late_it_ends(
        self, gate: Gate
    ) -> None:
        paused(gate)

        halts = [gate.learn(Answer.UNKNOWN, 90, began=0) for _ in range(20)]

        assert halts == [None] * 20
        assert gate.not_before == 60


class TestTrouble:
    @pytest.mark.parametrize(
        ("busy", "patience_s", "why"),
        [
            pytest.param(
                False, 300, "could not be reached for 5m 00s", id="unreachable"
            ),
            pytest.param(True, 1800, "stayed busy for 30m 00s", id="busy"),
        ],
    )
    def test_ends_patience(
        self, gate: Gate, busy: bool, patience_s: int, why: str
    ) -> None:
        for now in range(0, patience_s, 100):
            assert gate.trouble(now, busy=busy) is None
        assert gate.trouble(patience_s - 1, busy=busy) is None

        halt = gate.trouble(patience_s, busy=busy)

        assert halt == Halt(f"the service {why}", ExitCode.UNREACHABLE)

    def test_a_busy_service_that_falls_silent_gets_the_short_patience_from_then_on(
        self, gate: Gate
    ) -> None:
        gate.trouble(200, busy=True)
        gate.trouble(1_000, busy=False)

        assert gate.trouble(1_299, busy=False) is None
        assert gate.trouble(1_300, busy=False) is not None

    def test_an_answer_of_busy_between_silences_starts_the_short_patience_anew(
        self, gate: Gate
    ) -> None:
        gate.trouble(0, busy=False)
        gate.trouble(200, busy=True)
        gate.trouble(250, busy=False)

        assert gate.trouble(540, busy=False) is None
        assert gate.trouble(550, busy=False) is not None

    def test_both_together_do_not_outlast_the_long_patience(self, gate: Gate) -> None:
        gate.trouble(0, busy=False)
        gate.trouble(900, busy=True)
        gate.trouble(1_790, busy=True)

        assert gate.trouble(1_801, busy=False) is not None

    @pytest.mark.parametrize("busy", [False, True])
    def test_before_a_night_says_nothing_about_the_morning(
        self, gate: Gate, busy: bool
    ) -> None:
        """The network went away with the lid, and is not back yet when it opens."""
        gate.trouble(0, busy=busy)

        assert gate.trouble(28_800, busy=busy) is None
        assert gate.trouble(28_860, busy=busy) is None

    def test_is_forgotten_when_the_service_answers(self, gate: Gate) -> None:
        gate.trouble(0, busy=False)
        gate.reached()

        assert gate.trouble(300, busy=True) is None
        assert gate.trouble(2000, busy=True) is None
