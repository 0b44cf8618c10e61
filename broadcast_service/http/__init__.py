"""The HTTP endpoints and the static page."""
