"""Who may do what: scopes, revocations, screens, origins, and the record of refusals."""
