"""Looks of photographs: old, young, male, smiling; how much of each an edit wants."""
