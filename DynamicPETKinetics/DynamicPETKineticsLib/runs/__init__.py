"""Runs from the scene to the background process and back."""
