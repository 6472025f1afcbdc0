"""SASRec (Kang & McAuley, 2018): self-attention over the last items, with cross-entropy over all items.

Legend: B users, T steps, L steps seen, E embedding, H hidden, I items.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from model.baselines.inputs import Inputs
from model.baselines.sequence import Net, SequenceRanker
from model.contract import Training

_PAST, _BLOCKS, _HEADS = 50, 2, 2


class _Block(nn.Module):
    def __init__(self, size: int, dropout: float) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(size), nn.LayerNorm(size)
        self.split, self.join = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.feed = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Dropout(dropout), nn.Linear(size, size))
        self.drop = nn.Dropout(dropout)

    def forward(self, value_BTE: Tensor, seen_TT: Tensor) -> Tensor:
        B, T, E = value_BTE.shape
        q, k, v = (one.view(B, T, _HEADS, E // _HEADS).transpose(1, 2) for one in self.split(self.before(value_BTE)).chunk(3, dim=2))
        read_BTE = scaled_dot_product_attention(q, k, v, attn_mask=seen_TT).transpose(1, 2).reshape(B, T, E)
        value_BTE = value_BTE + self.drop(self.join(read_BTE))
        fed_BTE: Tensor = self.drop(self.feed(self.between(value_BTE)))
        return value_BTE + fed_BTE


class _Attention(Net):
    """Each step sees the 50 items before it; places are counted backwards from it, so that training and the stream agree."""

    def __init__(self, items: int, embedding: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self._none = items
        self.embed = nn.Embedding(items + 1, embedding, padding_idx=items)
        self.place = nn.Embedding(_PAST, embedding)
        self.blocks = nn.ModuleList([_Block(embedding, dropout) for _ in range(_BLOCKS)])
        self.norm, self.out, self.drop = nn.LayerNorm(embedding), nn.Linear(embedding, hidden), nn.Dropout(dropout)

    def start(self, users: int) -> Tensor:
        """The last items, oldest first; none yet."""
        return torch.full((users, _PAST - 1), self._none)

    def run(self, inputs: Inputs, state_BS: Tensor) -> tuple[Tensor, Tensor]:
        """Windows of 50 steps, each step of the second half seeing at least 25 before it; single steps see all 50."""
        item_BT = torch.cat([state_BS, inputs.previous_BT], dim=1)
        T, outputs = inputs.previous_BT.shape[1], []
        for start in range(0, T, _PAST // 2):
            stop = min(T, start + _PAST // 2)
            seen_BT = item_BT[:, stop - 1 : stop + _PAST - 1]  # the 50 up to the last of them
            outputs.append(self._read(seen_BT)[:, _PAST - (stop - start) :])
        return torch.cat(outputs, dim=1), item_BT[:, item_BT.shape[1] - (_PAST - 1) :]

    def _read(self, item_BT: Tensor) -> Tensor:
        value_BTE = self.drop(self.embed(item_BT) + self.place.weight)
        causal_TT = torch.ones(_PAST, _PAST, dtype=torch.bool, device=item_BT.device).tril()
        for block in self.blocks:
            value_BTE = block(value_BTE, causal_TT)
        read: Tensor = self.out(self.norm(value_BTE))
        return read


class SASRec(SequenceRanker):
    """Self-attention over the user's last 50 items."""

    def make_net(self, training: Training) -> Net:
        """For its items."""
        return _Attention(training.items, 2 * (self.embedding // 2) or 2, self.hidden, self.dropout)
