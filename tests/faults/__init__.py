"""What must hold while things break: faults on real processes, and one checker behind all of them."""
