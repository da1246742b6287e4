"""What is read of the words of the tool that asks; asking takes a quiet machine and minutes."""

from tests.api.load import Asked, read

SAID = """Running 15s test @ http://127.0.0.1:41111
  1 threads and 20 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.13ms    1.20ms  21.00ms   90.00%
  Latency Distribution
     50%    4.90ms
     75%    5.50ms
     90%  612.00us
     99%    1.02s
  2,000 wrong 3010 requests in 15.01s, 4.11MB read
  Socket errors: connect 1, read 2, write 0, timeout 4
  Non-2xx or 3xx responses: 5
Requests/sec:    200.53
Transfer/sec:    280.10KB
"""


def test_what_the_tool_says_is_read():
    assert read(SAID) == Asked(p50=4.9, p99=1020.0, rate=200.53, requests=3010, bad=12)
    fine = "\n".join(
        line for line in SAID.splitlines() if "errors" not in line and "Non" not in line
    )
    assert read(fine).bad == 0
