"""A fault laboratory: the real parts of a deployment, learners who talk, and what they hear when a
part fails.

`laboratory` starts and ends the parts, `crowd` is the learners' own process, `figures` computes
from its events what a fault did, `apart` gives all of it a network of its own.
"""
