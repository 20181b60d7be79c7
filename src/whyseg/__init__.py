"""whyseg: make reasoning-segmentation data, train on it, and send the model's findings back to the data."""

__version__ = "0.1.0"
