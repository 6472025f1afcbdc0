"""Offline training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model import CheckpointError, EpochReport, ModelConfig, ModelError, Recommender, Step, fit
from model.fit import validate
from model.sequences import History, pack
from model.trainer import Trainer
from model.unroll import start, unroll
from tests.model import plain
from tests.model.small import LOOKS_BACK, SMALL, Stream, awkward, recommender, small, step

_Steps = dict[str, list[tuple[Step, str]]]
_FIT = small(dtype="float32", factors=8, hidden=16, dropout=0.2)


def _data(users: int = 24, steps: int = 12) -> tuple[_Steps, _Steps]:
    """Users who take an item of the topic they write about; the last two steps of each are for validation."""
    draw = np.random.default_rng(7)
    training: _Steps = {}
    validation: _Steps = {}
    for user in range(users):
        taken = []
        for number in range(int(draw.integers(4, steps))):
            one = step(draw, None if number == 0 else 800.0, _FIT)
            taken.append((one, f"v{int(one.x_M[:4].argmax())}-{user % 2}"))
        training[f"u{user}"], validation[f"u{user}"] = taken[:-2], taken[-2:]
    return training, validation


def _plain_epoch_loss(one: Recommender, histories: list[History]) -> float:
    weights, losses = one.weights(), []
    for history in histories:
        done = plain.sequence(history.steps, weights, history.user, one.config)
        losses += [plain.loss(at.logits, item, one.config) for at, item in zip(done, history.items, strict=True) if item >= 0]
    return sum(losses) / len(losses)


def _histories(config: ModelConfig) -> list[History]:
    draw = np.random.default_rng(1)
    lengths = (3, 7, 5)
    return [
        History(user, awkward(config)[:length], [int(item) for item in draw.integers(7, size=length)], list(range(-1, length - 1)))
        for user, length in enumerate(lengths)
    ]


@pytest.mark.parametrize("changes", [{}, {"attention": False}, {"second_order": False}, {"time_gates": False}, LOOKS_BACK])
def test_padded_batches_are_the_sequences_one_by_one(changes: dict[str, Any]) -> None:
    """The h of every user at every step is that of the plain transcription, whatever stands beside it in the batch."""
    one = recommender(small(**changes))
    (batch,) = pack(_histories(one.config), 3, one.config, torch.float64, "cpu")
    with torch.no_grad():
        e_Bk = one.network.E_user[batch.user_B]
        h_NH, _ = unroll(one.network, batch.windows[0], e_Bk, start(e_Bk, one.config.hidden), lambda values: values)
    expected = {
        history.user: plain.sequence(history.steps, one.weights(), history.user, one.config, history.previous)
        for history in _histories(one.config)
    }
    place = 0
    for number, active in enumerate(batch.windows[0].active):
        for user in batch.user_B[:active].tolist():
            np.testing.assert_allclose(expected[user][number].h, h_NH[place], rtol=0, atol=1e-10)
            place += 1
    assert 15 == place == batch.steps


def test_windows_carry_state_and_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut into windows of two steps, a sequence has the same loss as whole."""
    monkeypatch.setattr("model.sequences.WINDOW", 2)
    one = recommender()
    batches = pack(_histories(SMALL), 2, SMALL, torch.float64, "cpu")
    assert 4 == max(len(batch.windows) for batch in batches)
    checked = validate(one.network, batches, unknown=0)
    assert checked is not None
    assert _plain_epoch_loss(one, _histories(SMALL)) == pytest.approx(checked[0], abs=1e-10)


def test_training_gradient_is_autograd_through_the_whole_sequence() -> None:
    """One step of training equals one step of Adam on the mean loss, with the output layer by autograd, too."""
    config = small(dropout=0.0)
    one, other = recommender(config), recommender(config)
    trainer = Trainer(one.network, 0.01, 0, None)
    loss = trainer.epoch(pack(_histories(config), 3, config, torch.float64, "cpu"))
    assert _plain_epoch_loss(other, _histories(config)) == pytest.approx(loss, abs=1e-10)

    network = other.network
    adam = torch.optim.Adam(network.parameters(), lr=0.01)
    (batch,) = pack(_histories(config), 3, config, torch.float64, "cpu")
    window = batch.windows[0]
    e_Bk = network.E_user[batch.user_B]
    h_NH, _ = unroll(network, window, e_Bk, start(e_Bk, config.hidden), lambda values: values)
    logits_NI = torch.tanh(network.logits(h_NH[window.target_N]))
    torch.autograd.backward([torch.nn.functional.cross_entropy(logits_NI, window.item_N)])
    torch.nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm)
    adam.step()
    for name, expected in other.weights().items():
        np.testing.assert_allclose(expected, one.weights()[name], rtol=0, atol=1e-6, err_msg=name)


def test_steps_without_target_count_for_nothing() -> None:
    """An item of -1 takes part in the state and not in the loss."""
    one = recommender()
    histories = [replace(history, items=[-1] * 2 + list(history.items[2:])) for history in _histories(SMALL)]
    checked = validate(one.network, pack(histories, 2, SMALL, torch.float64, "cpu"), unknown=0)
    assert checked is not None
    assert _plain_epoch_loss(one, histories) == pytest.approx(checked[0], abs=1e-10)


def test_fit_learns() -> None:
    """The loss falls, and items of the topic written about are found far more often than by chance."""
    reports: list[EpochReport] = []
    training, validation = _data()
    fit(training, validation, replace(_FIT, logits="identity"), epochs=25, batch=8, learning_rate=0.01, progress=reports.append)
    assert reports[-1].loss < 0.8 * reports[0].loss
    assert list(range(1, len(reports) + 1)) == [one.epoch for one in reports]
    assert reports[0].validation_loss is not None
    assert min(one.validation_loss or 9.0 for one in reports) < 0.9 * reports[0].validation_loss


def test_the_catalogue_has_rows_from_the_start() -> None:
    """Items that nobody took are trained against like all others, up to the cap."""
    training, validation = _data()
    taken = {item for steps in training.values() for _, item in steps}
    one = fit(training, validation, _FIT, epochs=1, batch=8, catalogue=["never", *sorted(taken)])
    assert {*taken, "never"} == set(one.items.names())
    row = one.items.get("never")
    assert one.network.W_r.detach()[row].any()
    capped = fit(training, validation, replace(_FIT, items_cap=len(taken)), epochs=1, batch=8, catalogue=["never"])
    assert taken == set(capped.items.names())


def test_fit_is_deterministic() -> None:
    """The same arguments give the same model, another seed another one, and torch's global seed plays no part."""
    hashes = []
    for seed, global_seed in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(global_seed)
        hashes.append(fit(*_data(), _FIT, epochs=2, batch=8, seed=seed).state_hash())
    assert hashes[0] == hashes[1] != hashes[2]


def test_threads_change_nothing_in_bfloat16() -> None:
    """The model is the same to the last bit with one thread and with three; gradients are clipped, so their norm is, too."""
    hashes, before = [], torch.get_num_threads()
    catalogue = [f"never-{number}" for number in range(2_000)]
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            config = replace(_FIT, hidden=128, clip_norm=0.01)
            hashes.append(fit(*_data(), config, epochs=2, batch=8, precision="bfloat16", catalogue=catalogue).state_hash())
            assert threads == torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
    assert hashes[0] == hashes[1]


def test_the_best_epoch_is_kept_and_patience_ends() -> None:
    """Training stops `patience` epochs after the best one, whose weights and second moments are given."""
    training, validation = _data()
    reports: list[EpochReport] = []
    one = fit(training, validation, _FIT, epochs=40, patience=2, batch=8, learning_rate=0.03, progress=reports.append)
    best = max(reports, key=lambda report: (report.validation_hr or 0.0, -(report.validation_loss or 0.0)))
    assert best.epoch + 2 == len(reports)
    again = fit(training, validation, _FIT, epochs=best.epoch, batch=8, learning_rate=0.03)
    for name, array in again.weights().items():
        np.testing.assert_array_equal(array, one.weights()[name])
    assert best.epoch * 3 == float(one.moments.count)


def test_without_validation_the_last_epoch_is_kept() -> None:
    """All epochs run, and the report has no validation values."""
    reports: list[EpochReport] = []
    one = fit(_data()[0], {}, _FIT, epochs=4, patience=1, batch=8, progress=reports.append)
    assert [(1, None), (2, None), (3, None), (4, None)] == [(report.epoch, report.validation_hr) for report in reports]
    assert 4 * 3 == float(one.moments.count)


def test_validation_may_hold_unknown_users_and_items() -> None:
    """They count as missed, and get no row."""
    training, _ = _data()
    draw = np.random.default_rng(0)
    validation = {"stranger": [(step(draw, None, _FIT), "v0-0")], "u1": [(step(draw, 5.0, _FIT), "unheard of")]}
    reports: list[EpochReport] = []
    one = fit(training, validation, _FIT, epochs=1, progress=reports.append)
    assert reports[0].validation_hr == 0.5
    assert (None, None) == (one.users.get("stranger"), one.items.get("unheard of"))


def test_a_fitted_model_learns_on() -> None:
    """Online learning carries the moments of the fit, with a name for the version."""
    one = fit(*_data(), _FIT, epochs=2, batch=8)
    count = float(one.moments.count)
    assert count > 0
    assert count == float(one.moments.user_count_U[0])
    assert "untrained" != one.version
    one.learn(Stream(one).lesson(("u1", "somebody")))
    assert count + 1 == float(one.moments.count)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_fit_that_runs_away_is_an_error(precision: str) -> None:
    """Numbers that are none are no hits: the ModelError names the epoch, the loss and the rate."""
    config = replace(_FIT, preset="full", logits="identity", dtype="float32")
    with pytest.raises(ModelError, match=r"epoch 1 is .*nan; give a lower rate than 1e\+30"):
        fit(*_data(), config, epochs=2, batch=8, learning_rate=1e30, precision=precision)


def test_nothing_to_train_on_is_refused() -> None:
    """A ModelError says so."""
    with pytest.raises(ModelError, match="no training steps"):
        fit({"ann": []}, {}, _FIT)


def _stopped_after(epochs: int, file: Path) -> None:
    """Run a fit that is killed once it has reported so many epochs."""

    def stop(report: EpochReport) -> None:
        if report.epoch > epochs:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(*_data(), _FIT, epochs=6, seed=2, progress=stop, resume=file)


def test_a_stopped_fit_goes_on(tmp_path: Path) -> None:
    """Killed after any epoch and resumed, a fit ends with the very weights and moments of an undisturbed one; its file is gone."""
    expected = fit(*_data(), _FIT, epochs=6, seed=2).state_hash()
    for epochs in (1, 4):
        _stopped_after(epochs, tmp_path / "fit")
        reports: list[EpochReport] = []
        assert expected == fit(*_data(), _FIT, epochs=6, seed=2, progress=reports.append, resume=tmp_path / "fit").state_hash()
        assert epochs + 1 == reports[0].epoch
        assert not (tmp_path / "fit").exists()


def test_another_fit_is_not_resumed(tmp_path: Path) -> None:
    """A file of other options, or a damaged one, is refused with what to do."""
    _stopped_after(1, tmp_path / "fit")
    with pytest.raises(CheckpointError, match="of another fit"):
        fit(*_data(), _FIT, epochs=6, seed=3, resume=tmp_path / "fit")
    (tmp_path / "fit").write_bytes((tmp_path / "fit").read_bytes()[:100])
    with pytest.raises(CheckpointError, match="cannot be read"):
        fit(*_data(), _FIT, epochs=6, seed=2, resume=tmp_path / "fit")


@pytest.mark.parametrize("loss", ["ce", "bce"])
def test_half_precision_learns_the_same(loss: str) -> None:
    """With the output layer's products in bfloat16 the loss after some epochs is that of float32 to a hundredth."""
    losses = []
    for precision in ("float32", "bfloat16"):
        reports: list[EpochReport] = []
        fit(*_data(), replace(_FIT, loss=loss), epochs=5, precision=precision, progress=reports.append)
        losses.append(reports[-1].loss)
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
    with pytest.raises(ModelError, match="precision 'float8'"):
        fit(*_data(), _FIT, precision="float8")
