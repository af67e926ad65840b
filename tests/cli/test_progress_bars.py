"""Progress says how many, how fast, how long still and how many failed, to people and to logs."""

from __future__ import annotations

import io

from rich.console import Console

from merprep.cli.bars import Bars


def test_a_terminal_shows_count_rate_time_left_and_failures() -> None:
    screen = io.StringIO()
    bars = Bars(Console(file=screen, force_terminal=True, width=120))
    bars.start("flow", 200)
    for number in range(100):
        bars.advance(failed=number < 3)
    bars.finish()
    shown = screen.getvalue()
    assert "100/200" in shown
    assert "3 failed" in shown
    assert "/s" in shown
    assert "left" in shown


def test_a_log_gets_a_line_a_minute_and_nothing_of_what_is_over_sooner() -> None:
    log, now = io.StringIO(), [0.0]
    bars = Bars(Console(file=log, width=80), clock=lambda: now[0])
    bars.start("align", 10_000)
    bars.advance(4000)  # kept from before: they say nothing of the rate afterwards
    now[0] = 61.0
    bars.advance(failed=True)
    for _ in range(60):
        now[0] += 1.0
        bars.advance(10)
    bars.finish()
    first, second = log.getvalue().splitlines()
    assert first.startswith("align: 4001 of 10000, 65.6/s, 0:01:31 left, 1 failed")
    assert second == "align: 4601 of 10000, 10.0/s, 0:09:00 left, 1 failed"
