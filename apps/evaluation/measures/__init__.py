"""What the suites measure."""
