"""The commands: each reads its words, calls one use case and shows what came of it."""
