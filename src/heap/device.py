"""Which device the work runs on."""


def choose_device(name: str) -> str:
    """The device for `auto`: a GPU that torch can use, else the CPU; other names as they are."""
    if name != "auto":
        return name
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
