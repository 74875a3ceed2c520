"""The phone: what the softphone app does, as a library without server parts."""
