"""The commands of `semblance`, one idea a file."""
