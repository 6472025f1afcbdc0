"""CLSTM and GRU4Rec: library cells on posts, or on the item before.

Legend: B users, T steps, H hidden, I items, S = 2H or H.
"""

import torch
from torch import Tensor, nn

from model.baselines.inputs import Inputs
from model.baselines.sequence import Net, SequenceRanker
from model.contract import Training


class _LSTM(Net):
    """A standard LSTM fed x^t directly: no embedding, so no user; no time, no attention (ALGORITHMS 5)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.cell = nn.LSTM(max(1, width), hidden, batch_first=True)

    def start(self, users: int) -> Tensor:
        """H and C side by side."""
        return torch.zeros(users, 2 * self.cell.hidden_size)

    def run(self, inputs: Inputs, state_BS: Tensor) -> tuple[Tensor, Tensor]:
        """Without posts the input is a constant zero."""
        x_BTM = inputs.x_BTM if inputs.x_BTM.shape[2] else inputs.x_BTM.new_zeros(*inputs.x_BTM.shape[:2], 1)
        h_BH, C_BH = state_BS.chunk(2, dim=1)
        h_BTH, (last_1BH, cell_1BH) = self.cell(x_BTM, (h_BH[None].contiguous(), C_BH[None].contiguous()))
        return h_BTH, torch.cat([last_1BH[0], cell_1BH[0]], dim=1)


class CLSTM(SequenceRanker):
    """The paper's baseline: an LSTM on the posts alone."""

    def make_net(self, training: Training) -> Net:
        """For its networks and topics."""
        return _LSTM(len(training.networks) * training.topics, self.hidden)


class _GRU(Net):
    def __init__(self, items: int, embedding: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(items + 1, embedding)
        self.drop = nn.Dropout(dropout)
        self.cell = nn.GRU(embedding, hidden, batch_first=True)

    def start(self, users: int) -> Tensor:
        """H."""
        return torch.zeros(users, self.cell.hidden_size)

    def run(self, inputs: Inputs, state_BS: Tensor) -> tuple[Tensor, Tensor]:
        """The item before goes in."""
        h_BTH, last_1BH = self.cell(self.drop(self.embed(inputs.previous_BT)), state_BS[None].contiguous())
        return h_BTH, last_1BH[0]


class GRU4Rec(SequenceRanker):
    """Hidasi et al. (2016) with cross-entropy over all items instead of sampled ones."""

    def make_net(self, training: Training) -> Net:
        """For its items."""
        return _GRU(training.items, self.embedding, self.hidden, self.dropout)
