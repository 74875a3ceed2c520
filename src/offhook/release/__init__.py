"""App and policy of a Cloud ID together: what publishing would change for whom, who approves, and the way back."""
