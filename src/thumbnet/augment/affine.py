"""Affine maps of the plane: a matrix an image, composed for a whole epoch before any pixel moves.

Matrices are those of sampling: they take a place in the output to the place in the input it is
read from. Units: [-1, 1] from edge to edge of the image, x to the right, y down.
"""

import numpy as np

from thumbnet.augment.draws import Array, Table


def affine(table: Table) -> Array:
    """Return the matrices of sampling for scale, shear, rotation and translation in this order.

    A positive angle turns clockwise, a positive shear leans the top to the right.

    Shapes: -> (N, 3, 3)
    """
    scale, shear_x, shear_y, turn, move = (_identity(len(table["rotate"])) for _ in range(5))
    scale[:, 0, 0], scale[:, 1, 1] = 1 / table["scale_x"], 1 / table["scale_y"]
    shear_x[:, 0, 1] = np.tan(np.radians(table["shear_x"]))
    shear_y[:, 1, 0] = np.tan(np.radians(table["shear_y"]))
    angle = np.radians(table["rotate"])
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
    turn[:, 0, 1], turn[:, 1, 0] = np.sin(angle), -np.sin(angle)
    move[:, 0, 2], move[:, 1, 2] = -2 * table["translate_x"], -2 * table["translate_y"]
    return np.asarray(scale @ shear_x @ shear_y @ turn @ move)


def crop_pad(table: Table) -> Array:
    """Return the matrices of sampling that bring the cropped or padded image to the old size.

    Shapes: -> (N, 3, 3)
    """
    matrix = _identity(len(table["left"]))
    matrix[:, 0, 0] = 1 + table["left"] + table["right"]
    matrix[:, 1, 1] = 1 + table["top"] + table["bottom"]
    matrix[:, 0, 2] = table["right"] - table["left"]
    matrix[:, 1, 2] = table["bottom"] - table["top"]
    return matrix


def compose(steps: list[tuple[Table, Array]], num: int) -> Table:
    """Make one matrix of the operations each image gets, one after the other.

    The last of them that an image gets decides its fill and interpolation.

    Args: steps hold an operation's table (with `scale_x` or `left`) and who gets it
    Shapes: -> matrix (N, 2, 3), fill, interpolation (N,) int64, fill_value (N,)
    """
    matrix = _identity(num)
    last = {
        "fill": np.zeros(num, dtype=np.int64),
        "interpolation": np.zeros(num, dtype=np.int64),
        "fill_value": np.zeros(num),
    }
    for table, active in steps:
        part = {name: column[active] for name, column in table.items()}
        one = affine(part) if "scale_x" in part else crop_pad(part)
        matrix[active] = matrix[active] @ one
        for name, column in last.items():
            column[active] = part[name]
    return {"matrix": matrix[:, :2].copy(), **last}


def _identity(num: int) -> Array:
    return np.tile(np.eye(3), (num, 1, 1))
