"""RFC 6455 on top of uvicorn: opening handshake, frames, messages."""
