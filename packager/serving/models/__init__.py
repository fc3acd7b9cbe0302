"""Which models there are, which of their versions should be loaded, and which are."""
