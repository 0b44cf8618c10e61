#!/bin/sh
# Healthy while there is a dump that is less than 26 hours old.
[ -n "$(find "$BACKUPS" -name 'archive-*.dump' -mmin -1560)" ]
