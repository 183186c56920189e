"""The LiveKit worker: one process per conversation, and what watches over them."""
