"""Steps and scores of a few users, compiled: reading the weights is most of the work, so they are read rounded to a byte each.

A row of a matrix has a scale, by which its largest weight is 127. That is a quarter to read, in four places beside each other: one
place after the other would come half as fast. All else is float32, sums are made in any order.

Legend: B users, M length of x, k factors, H hidden; O and K the sizes of a matrix.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.compiled import summed
from model.config import ModelConfig
from model.network import Given, Network
from model.threads import FEW

Floats = NDArray[np.float32]
_LARGEST, _LEAST = 127, 1e-30  # a row of smaller weights is as good as zero
_SIZE, _INFINITE = 0x7FFFFFFF, 0x7F800000  # bits of a float32 without its sign; those of infinity, above which is what is no number
_TO_NEAREST = 1.5 * 2**23  # a float32 beside it has no fraction, and its lowest bits are those of the whole number added


@dataclass(frozen=True, slots=True, eq=False)
class Rounded:
    """A matrix with a byte for each weight; a row that holds something else than numbers has a scale that is none."""

    byte_OK: NDArray[np.int8]
    scale_O: Floats

    @classmethod
    def of(cls, W_OK: Tensor) -> "Rounded":
        """A matrix rounded."""
        one = cls.like(W_OK)
        one.put(W_OK)
        return one

    @classmethod
    def like(cls, W_OK: Tensor) -> "Rounded":
        """Room for a matrix: numpy's memory, because it asks for large pages, which are read faster."""
        return cls(np.empty(W_OK.shape, np.int8), np.empty(len(W_OK), np.float32))

    def put(self, W_OK: Tensor) -> None:
        """Round a matrix and keep it here."""
        _put_rounded(np.ascontiguousarray(W_OK.detach().numpy()), self.byte_OK, self.scale_O)


@summed
def _put_rounded(W_OK: Floats, byte_OK: NDArray[np.int8], scale_O: Floats) -> None:
    """In integers, because loops over them become vector instructions: a float32's bits order sizes, and sums end with the nearest."""
    for place in range(len(W_OK)):
        w_K, bits = W_OK[place], np.int32(0)
        for column in range(len(w_K)):
            bits = max(bits, np.float32(w_K[column]).view(np.int32) & np.int32(_SIZE))
        largest = np.int32(bits).view(np.float32)
        scale_O[place] = largest / np.float32(_LARGEST) if bits < np.int32(_INFINITE) else np.float32(np.nan)
        times = np.float32(_LARGEST) / largest if largest > np.float32(_LEAST) else np.float32(0)
        for column in range(len(w_K)):
            byte_OK[place, column] = np.int8(np.float32(w_K[column] * times + np.float32(_TO_NEAREST)).view(np.int32))


def put_logits(x_BK: Floats, W_OK: Rounded, b_O: Floats, step_PO: Floats, x_PK: Floats, out_BO: Floats) -> None:
    """W x + b, as if to W steps had been added, outer products of `step_PO` and `x_PK`."""
    _put_logits(np.ascontiguousarray(x_BK), W_OK.byte_OK, W_OK.scale_O, b_O, step_PO, x_PK, out_BO)  # compiled for one way to lie


@summed
def _put_logits(
    x_BK: Floats, byte_OK: NDArray[np.int8], scale_O: Floats, b_O: Floats, step_PO: Floats, x_PK: Floats, out_BO: Floats
) -> None:
    for row in range(len(x_BK)):
        out_BO[row] = b_O
    _add_products(x_BK, byte_OK, scale_O, out_BO)
    like_P = np.empty(len(x_PK), np.float32)
    for row in range(len(x_BK)):
        x_K = x_BK[row]
        for step in range(len(x_PK)):
            like = np.float32(0)
            for column in range(len(x_K)):
                like += x_K[column] * x_PK[step, column]
            like_P[step] = like
        _add_steps(like_P, step_PO, out_BO[row])


@summed
def _add_steps(like_P: Floats, step_PO: Floats, out_O: Floats) -> None:
    whole = len(like_P) // 4 * 4
    for step in range(0, whole, 4):  # four at once, so that the sums are read and written less often
        s_0, s_1, s_2, s_3 = step_PO[step], step_PO[step + 1], step_PO[step + 2], step_PO[step + 3]
        l_0, l_1, l_2, l_3 = like_P[step], like_P[step + 1], like_P[step + 2], like_P[step + 3]
        for place in range(len(out_O)):
            out_O[place] += l_0 * s_0[place] + l_1 * s_1[place] + l_2 * s_2[place] + l_3 * s_3[place]
    for step in range(whole, len(like_P)):
        step_O, like = step_PO[step], like_P[step]
        for place in range(len(out_O)):
            out_O[place] += like * step_O[place]


@summed
def _add_products(x_BK: Floats, byte_OK: NDArray[np.int8], scale_O: Floats, out_BO: Floats) -> None:
    """Add W x."""
    quarter = len(byte_OK) // 4
    for place in range(quarter):
        w_0, w_1 = byte_OK[place], byte_OK[quarter + place]
        w_2, w_3 = byte_OK[2 * quarter + place], byte_OK[3 * quarter + place]
        for row in range(len(x_BK)):
            x_K = x_BK[row]
            s_0, s_1, s_2, s_3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            for column in range(len(x_K)):
                s_0 += x_K[column] * np.float32(w_0[column])
                s_1 += x_K[column] * np.float32(w_1[column])
                s_2 += x_K[column] * np.float32(w_2[column])
                s_3 += x_K[column] * np.float32(w_3[column])
            out_BO[row, place] += s_0 * scale_O[place]
            out_BO[row, quarter + place] += s_1 * scale_O[quarter + place]
            out_BO[row, 2 * quarter + place] += s_2 * scale_O[2 * quarter + place]
            out_BO[row, 3 * quarter + place] += s_3 * scale_O[3 * quarter + place]
    for place in range(4 * quarter, len(byte_OK)):
        for row in range(len(x_BK)):
            s_0 = np.float32(0)
            for column in range(x_BK.shape[1]):
                s_0 += x_BK[row, column] * np.float32(byte_OK[place, column])
            out_BO[row, place] += s_0 * scale_O[place]


# ---- the step ----


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """A network's cell as the steps of a few read it."""

    config: ModelConfig
    Y_Mk: Floats
    W: Rounded
    U: Rounded
    U_A: Rounded
    b_6H: Floats

    @classmethod
    def of(cls, network: Network) -> "Cell":
        """With the weights as they are now."""
        Y_Mk, b_6H = (one.detach().numpy().copy() for one in (network.Y, network.b))
        return cls(network.config, Y_Mk, Rounded.of(network.W), Rounded.of(network.U), Rounded.of(network.U_A), b_6H)

    def after(self, given: Given) -> tuple[Tensor, Tensor]:
        """The h and C of steps of one window each (eq. 1-3, 5-7), as `Network.after` gives them, (B, 1, H)."""
        config, (W, U, U_A) = self.config, ((one.byte_OK, one.scale_O) for one in (self.W, self.U, self.U_A))
        x_BM, g_B1, h_BH, C_BH, h_A_BH = (
            one[:, 0].contiguous().numpy() for one in (given.x_BM, given.g_B1, given.h_BH, given.C_BH, given.h_A_BH)
        )
        column_CBk = np.stack([one[:, 0].numpy() for one in given.columns])
        # torch's memory, because products depend to the last bit on where their factors stand in it, and torch's stand alike.
        after = torch.empty(given.h_BH.shape), torch.empty(given.C_BH.shape)
        v_Bk = _pooled(x_BM, column_CBk, self.Y_Mk, config.second_order)
        out = (one[:, 0].numpy() for one in after)
        _put_after(v_Bk, *W, *U, *U_A, self.b_6H, g_B1, h_BH, C_BH, h_A_BH, config.time_gates, config.attention, *out)
        return after


def are_few(x_BVM: Tensor) -> bool:
    """Whether steps with windows x are so few, one of each user, that this is the faster way."""
    return len(x_BVM) <= FEW and x_BVM.shape[1] == 1 and x_BVM.dtype == torch.float32


@summed
def _pooled(x_BM: Floats, column_CBk: Floats, Y_Mk: Floats, second_order: bool) -> Floats:  # noqa: FBT001 - numba passes by place
    """Eq. 1, 2 (`Network.pool`). Not by numpy, whose products depend to the last bit on where the factors stand in memory."""
    first_Bk, squares_Bk = np.zeros(column_CBk.shape[1:], np.float32), np.zeros(column_CBk.shape[1:], np.float32)
    for row in range(len(x_BM)):
        first_k, squares_k = first_Bk[row], squares_Bk[row]
        for column in range(len(column_CBk)):
            for place in range(len(first_k)):
                first_k[place] += column_CBk[column, row, place]
                squares_k[place] += column_CBk[column, row, place] * column_CBk[column, row, place]
        for topic in range(x_BM.shape[1]):
            share = x_BM[row, topic]
            for place in range(len(first_k) if share != 0 else 0):
                added = share * Y_Mk[topic, place]
                first_k[place] += added
                squares_k[place] += added * added
        for place in range(len(first_k) if second_order else 0):
            first_k[place] += (first_k[place] * first_k[place] - squares_k[place]) / np.float32(2)
    return first_Bk


@summed
def _put_after(
    v_Bk: Floats, W_byte_OK: NDArray[np.int8], W_scale_O: Floats, U_byte_OK: NDArray[np.int8], U_scale_O: Floats,
    U_A_byte_OK: NDArray[np.int8], U_A_scale_O: Floats, b_6H: Floats, g_B1: NDArray[np.float64], h_BH: Floats, C_BH: Floats,
    h_A_BH: Floats, time_gates: bool, attention: bool, out_h_BH: Floats, out_C_BH: Floats,  # noqa: FBT001 - as above
) -> None:  # fmt: skip
    """Eq. 3, 5-7 (`Network.cell`)."""
    B, H = h_BH.shape
    z_B6H = np.empty((B, 6 * H), np.float32)
    for row in range(B):
        z_B6H[row] = b_6H
    _add_products(v_Bk, W_byte_OK, W_scale_O, z_B6H)
    _add_products(h_BH, U_byte_OK, U_scale_O, z_B6H)
    if attention:
        _add_products(h_A_BH, U_A_byte_OK, U_A_scale_O, z_B6H[:, 4 * H :])
    for row in range(B):
        z_6H, g = z_B6H[row], g_B1[row, 0]
        # 1 - g is taken before rounding: for a short gap it is the small one.
        enters, stays = (np.float32(1 - g), np.float32(g)) if time_gates else (np.float32(1), np.float32(1))
        for place in range(H):
            i, f, o = _sigmoid(z_6H[place]), _sigmoid(z_6H[H + place]), _sigmoid(z_6H[2 * H + place])
            C = stays * f * C_BH[row, place] + enters * i * np.tanh(z_6H[3 * H + place])
            if attention:
                C += _sigmoid(z_6H[4 * H + place]) * np.tanh(z_6H[5 * H + place])
            out_C_BH[row, place], out_h_BH[row, place] = C, o * np.tanh(C)


@summed
def _sigmoid(x: Any) -> Any:  # noqa: ANN401 - a float32, which has no name that numba and the type checker share
    return (np.float32(1) + np.tanh(x / np.float32(2))) / np.float32(2)  # exp would overflow
