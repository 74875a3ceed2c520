"""A real SIP user agent for a phone: baresip in a process of its own, driven through its control socket."""
