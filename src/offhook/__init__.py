"""Provisioning of softphone apps: what it means (core), who decides it (portal, provider), who follows it (phone)."""

__version__ = "0.1.0"
