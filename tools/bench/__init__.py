"""`make bench`: what every delivered event, reading and connection costs, beside what bare system calls and the obvious code cost."""
