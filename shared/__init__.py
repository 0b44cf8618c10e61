"""What crosses the process boundary, and nothing else: messages, keys, tokens, settings, problems."""
