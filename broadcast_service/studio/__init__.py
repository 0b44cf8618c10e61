"""The studio's time zone, names, shifts and targets: the file that this process uses, and the part of it that a dashboard may see."""
