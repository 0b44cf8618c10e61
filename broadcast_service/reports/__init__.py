"""History, earnings and reports."""
