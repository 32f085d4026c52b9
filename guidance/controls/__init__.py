"""What a user may hold or push: attributes, layers, regions, single components, lists of edits."""
