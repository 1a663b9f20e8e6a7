"""The commands, a file a group: each adds its arguments to the parser and makes a Job or a plain engine call of them.

Engine rooms are imported when a command runs, not before: ``petkinetics --help`` waits for none of them.
"""
