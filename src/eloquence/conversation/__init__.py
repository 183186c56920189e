"""The one pipeline: the coach, assembling a session, and what a transport must offer."""
