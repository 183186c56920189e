"""One module per vendor of a stage; each is found by entry point."""
