"""The time-aware attention LSTM: numbers in, ranking out."""

from model.baselines.popularity import Popularity
from model.blend.event import LAST as PAST_ITEMS
from model.config import ModelConfig
from model.errors import CheckpointError, ModelError
from model.fit import EpochReport, fit
from model.ids import Ids
from model.lesson import Forgotten, Known, Lesson, lesson_of
from model.memory import Memory
from model.metrics.hr import hit
from model.metrics.mean import mean_over_users
from model.metrics.ndcg import gain
from model.moved import Moved
from model.ranking import rank_of, top_k
from model.recommender import Recommender
from model.step import Step, make_step, topic_counts
from model.trace import Traced
from model.wave import Advanced, Ranked, Wave

__all__ = [
    "PAST_ITEMS",
    "Advanced",
    "CheckpointError",
    "EpochReport",
    "Forgotten",
    "Ids",
    "Known",
    "Lesson",
    "Memory",
    "ModelConfig",
    "ModelError",
    "Moved",
    "Popularity",
    "Ranked",
    "Recommender",
    "Step",
    "Traced",
    "Wave",
    "fit",
    "gain",
    "hit",
    "lesson_of",
    "make_step",
    "mean_over_users",
    "rank_of",
    "top_k",
    "topic_counts",
]
