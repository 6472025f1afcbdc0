"""What the package offers."""

import model


def test_exported_names() -> None:
    """Nothing comes or goes unnoticed."""
    expected = {
        "PAST_ITEMS", "Advanced", "CheckpointError", "EpochReport", "Forgotten", "Ids", "Known", "Lesson", "Memory", "ModelConfig",
        "ModelError", "Moved", "Popularity", "Ranked", "Recommender", "Step", "Traced", "Wave", "fit", "gain", "hit", "lesson_of",
        "make_step", "mean_over_users", "rank_of", "top_k", "topic_counts",
    }  # fmt: skip
    assert expected == set(model.__all__)
    assert expected <= set(dir(model))


def test_every_exported_name_is_described() -> None:
    """Each has a docstring of its own."""
    assert [] == [name for name in model.__all__ if not (getattr(model, name).__doc__ or "").strip()]
