"""Pictures of the page: those of the documents, and a matrix of every view for review."""
