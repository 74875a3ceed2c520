"""Who gets what, and why: rules, rollouts and safety limits, as pure computations that never act."""
