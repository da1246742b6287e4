"""Where the timings are written."""

from tests.journeys.timings import BEGIN, END, row, written


def test_a_new_section_takes_the_place_of_the_old():
    first = written("# Benchmarks\n\nkept above\n", "old numbers")
    assert first.startswith("# Benchmarks\n\nkept above\n")
    second = written(first + "\nkept below\n", "new numbers")
    assert "old numbers" not in second and "new numbers" in second
    assert "kept above" in second and "kept below" in second
    assert second.count(BEGIN) == second.count(END) == 1


def test_a_row_says_median_and_longest():
    assert row("x", "1 s", [3.0, 1.0, 2.0]) == "| x | 1 s | 2.00 s | 3.00 s | 3 |"
