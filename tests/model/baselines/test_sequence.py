"""How the sequence models that are compared are trained."""

import numpy as np
import pytest
import torch

from model.baselines.inputs import batches
from model.baselines.rivals import RIVALS
from model.baselines.sequence import SequenceRanker
from model.softmax import Softmax
from tests.model.baselines.small import ITEMS, USERS, events, training

LOG = events(75)


def _fitted(name: str, epochs: int) -> SequenceRanker:
    one = RIVALS[name](hidden=8, embedding=4, dropout=0.0, epochs=epochs)
    assert isinstance(one, SequenceRanker)
    one.fit(training(LOG))
    return one


@pytest.mark.parametrize("name", ["gru4rec", "sasrec", "clstm", "time-lstm-2"])
def test_gradients_in_bfloat16_are_those_of_float32(name: str) -> None:
    """Of every weight, to a bfloat16's few digits."""
    one, found = _fitted(name, 0), []
    by_user = [[event for event in LOG if event.user == user] for user in range(USERS)]
    (batch,) = batches(by_user, [0] * USERS, ITEMS, 3600.0, USERS)
    for softmax in (None, Softmax(one.W_r, one.b_r, "identity")):
        for parameter in one.parameters():
            parameter.grad = None
        one._backward(batch, softmax)
        found.append([parameter.grad for parameter in one.parameters()])
    for expected, given in zip(*found, strict=True):
        assert (expected is None) == (given is None)
        if expected is not None and given is not None:
            assert float((given - expected).norm()) <= 0.02 * float(expected.norm())


@pytest.mark.parametrize("bfloat16", [True, False])
def test_what_nobody_took_takes_no_part(bfloat16: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001 - a case
    """Items of the catalogue that are not in the training part keep their rows, whatever the fit does to all others."""
    monkeypatch.setattr("model.baselines.sequence.pays", lambda _: bfloat16)
    start, one = _fitted("gru4rec", 0), _fitted("gru4rec", 2)
    unseen = sorted({*range(ITEMS)} - {event.item for event in LOG[:60]})
    assert unseen == np.flatnonzero(~one.seen_I.numpy()).tolist() != []
    assert start.W_r[unseen].tolist() == one.W_r[unseen].tolist()
    assert torch.zeros(len(unseen)).tolist() == one.b_r[unseen].tolist()
    assert not (start.W_r == one.W_r)[one.seen_I].all(dim=1).any()
