"""Names, dtypes and shapes of tensors."""

from __future__ import annotations

from dataclasses import dataclass

Shape = tuple[int | None, ...]
"""Dimensions of a tensor, ``None`` where a dimension is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """Name, dtype (numpy's name) and shape of a tensor; dimension 0 is the batch."""

    name: str
    dtype: str
    shape: Shape

    def __post_init__(self) -> None:
        if any(d is not None and d < 0 for d in self.shape):
            raise ValueError(f"negative dimension in {self.name!r}: {self.shape}")

    def batch(self) -> int | None:
        """How many examples it holds, ``None`` where any number, or where it has no dimension for them."""
        return self.shape[0] if self.shape else None

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}[{', '.join('?' if d is None else str(d) for d in self.shape)}]"
