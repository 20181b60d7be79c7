"""whyseg: make reasoning-segmentation data, train on it, and send the model's findings back to the data."""

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Give `Client` when it is asked for: its imports take a moment."""
    if name != "Client":
        raise AttributeError(f"module 'whyseg' has no attribute {name!r}")
    from whyseg.client import Client

    return Client
