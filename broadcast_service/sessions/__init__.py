"""Open dashboards: one session each, the registry, the limits."""
