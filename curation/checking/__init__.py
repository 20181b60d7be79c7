"""The checks behind ``whyseg check``: small functions over records, each for one thing."""
