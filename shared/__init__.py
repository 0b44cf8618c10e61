"""What both services stand on: what crosses the process boundary (messages, keys, tokens, problems), and how a service is run."""
