"""A real SIP user agent for a phone: baresip in a process of its own, which connects to us to be driven."""
