"""Signing in without a long-lived token in the browser: single-use codes, session cookies, pairing by six letters."""
