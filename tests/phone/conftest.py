"""The mark of the tests that kill real processes."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "crash: kills real processes at random moments; takes some seconds")
