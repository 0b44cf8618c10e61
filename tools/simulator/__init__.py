"""A believable studio: rooms going on and off air, tips in bursts, audiences drifting."""
