"""The doors people use: command line, web app, batch."""
