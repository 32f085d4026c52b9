"""Commands that train or fit something for one user."""
