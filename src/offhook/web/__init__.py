"""The faces: each translates HTTP for a room, none decides."""
