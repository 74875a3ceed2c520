"""The operator's web services: who gets what, and why."""
