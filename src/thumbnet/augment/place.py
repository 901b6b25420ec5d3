"""From the host to a device, with nothing to wait for."""

import torch
from torch import Tensor


def place(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to a device, in order with its work, and go on at once.

    CUDA has read the host's memory by then. MPS may read it later, when it can be another's, so
    there the copy is waited for.
    """
    return tensor.to(device, non_blocking=device.type != "mps")
