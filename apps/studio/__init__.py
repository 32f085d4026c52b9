"""The web studio: parts of `apps.web`."""
