"""The editor: a face inverted once and edited often, and the parts it is assembled from."""
