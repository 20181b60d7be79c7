"""What this machine has, told without importing anything heavy."""

import os
import shutil
import threading
from pathlib import Path

# Models are loaded one after the other: transformers imports its parts when they are first asked for, and comes to
# grief where two threads ask at once.
LOADING = threading.Lock()

_GPU_DEVICES = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # NVIDIA's driver, WSL's, AMD's


def gpu_driver() -> str | None:
    """Return by what a GPU's driver shows itself, a program or a device; None where there is none."""
    if shutil.which("nvidia-smi"):
        return "nvidia-smi"
    return next((device for device in _GPU_DEVICES if Path(device).exists()), None)


def cache_folder() -> Path:
    """Return whyseg's cache folder, whether it exists or not."""
    if chosen := os.environ.get("WHYSEG_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "whyseg"
