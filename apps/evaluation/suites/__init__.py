"""The suites of `semblance evaluate`, one a file."""
