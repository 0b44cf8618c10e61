"""Signing in without a long-simulate_past token in the browser: single-use codes, session cookies, pairing by six letters."""
