"""Programs around the services: the local stack, the simulator, the smoke check, the benches."""
