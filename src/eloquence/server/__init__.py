"""FastAPI: the page, the content, the sessions and the socket."""
