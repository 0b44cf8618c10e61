"""The extension: its JavaScript alone under Node, and whole in a real Chromium."""
