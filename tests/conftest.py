"""What holds for all tests: laws are tried on the same examples everywhere, and a busy machine is no reason to fail."""

import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "everywhere", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("everywhere")

# What a shell starts in the background ignores Ctrl-C, and so would every command that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Programs that tests start for themselves; a fixture of them that nobody asks for starts nothing.
pytest_plugins = ("tests.real.postgres", "tests.real.kamailio", "tests.real.baresip", "tests.real.slapd")
