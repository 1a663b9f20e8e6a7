"""The background process: starting it, listening to it, ending it; temporary folders; work in small steps."""
