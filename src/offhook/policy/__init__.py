"""Safety limits: pure rules that compute and never act."""
