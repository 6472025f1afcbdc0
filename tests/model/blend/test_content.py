"""Texts and posts: what an item or a user says, against the formulas written out."""

import math

import numpy as np
import pytest
import torch

from model import Known
from model.blend.posts import ByTopic, post_head, posts_of, tensor
from model.blend.texts import Texts

WORDS = {"a": ["tax", "tax", "act"], "b": ["tax", "water"], "c": ["river", "water"], "d": []}


def _texts() -> Texts:
    texts = Texts(len(WORDS))
    for row, counts_W in enumerate(Known.of(WORDS).counts_nW):
        texts.put(row, counts_W)
    return texts


def _features(texts: Texts, users: list[int]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    out_BI = np.full((len(users), len(WORDS)), np.nan, np.float32)
    texts.features(users, out_BI)
    return out_BI


def test_texts_are_tf_idf_to_the_fourth() -> None:
    """cos^4 of (1 + ln count) idf with the user's profile: items of length 1, .995 an item, today's idf."""
    texts = _texts()
    texts.learn(0, 0)
    texts.learn(0, 1)
    damped = [{word: 1 + math.log(own.count(word)) for word in own} for own in WORDS.values()]
    idf = {word: math.log(4 / (1 + sum(word in own for own in WORDS.values()))) for own in WORDS.values() for word in own}
    lengths = [math.sqrt(sum(value**2 for value in one.values())) for one in damped]
    profile = {word: idf[word] * (0.995 * damped[0].get(word, 0) / lengths[0] + damped[1].get(word, 0) / lengths[1]) for word in idf}
    size = math.sqrt(sum(value**2 for value in profile.values()))
    for row, own in enumerate(damped):
        weighed = {word: value * idf[word] for word, value in own.items()}
        length = math.sqrt(sum(value**2 for value in weighed.values()))
        cosine = sum(value * profile[word] for word, value in weighed.items()) / (length * size) if length else 0
        assert pytest.approx(cosine**4, abs=1e-6) == _features(texts, [0])[0, row]


def test_texts_without_anything_to_say() -> None:
    """A user without a row or a past, and items without text, are alike to nothing; a text may come, change and go."""
    texts = _texts()
    assert 0 == np.abs(_features(texts, [-1, 0, 7])).max()
    texts.learn(0, 3)
    assert 0 == np.abs(_features(texts, [0])).max()
    texts.learn(0, 2)
    assert 0 == _features(texts, [0])[0, 3]
    texts.put(3, texts.count_IW[2].copy())
    assert pytest.approx(_features(texts, [0])[0, 2]) == _features(texts, [0])[0, 3] > 0
    texts.put(3, np.zeros_like(texts.count_IW[3]))
    assert 0 == _features(texts, [0])[0, 3]
    texts.forget_user(0)
    assert 0 == np.abs(_features(texts, [0])).max()


def test_what_the_post_head_sees() -> None:
    """The window and the decayed windows before and with it, each of length 3 / root 2; silence is zero."""
    x_BM = np.array([[1.0, 0], [0, 0], [0, 0]], np.float32)
    past_x = [np.array([[0, 1], [1, 0]], np.float16), np.array([[0, 1]], np.float16), np.zeros((0, 2), np.float16)]
    first, second, third = posts_of(x_BM, past_x)
    length = 3 / math.sqrt(2)
    profile = np.array([1 + 0.95, 0.95**2])
    np.testing.assert_allclose([length, 0, *(length * profile / math.hypot(*profile))], first, rtol=1e-6)
    np.testing.assert_allclose([0, 0, 0, length], second, rtol=1e-6)
    assert [0, 0, 0, 0] == third.tolist()


def test_the_term_of_posts_is_the_sum_of_its_topics() -> None:
    """By network and topic, window and profile together, what is told adds up to the term; young items have more weight."""
    draw, networks, topics, items = np.random.default_rng(3), 2, 3, 8
    head = post_head(items, 2 * networks * topics)
    v_BV = posts_of(draw.random((4, networks * topics), np.float32), [draw.random((3, networks * topics)) for _ in range(4)])
    head.learn(tensor(v_BV), [1, 2, 3, 1])
    young_BI = draw.random((4, items)) < 0.5
    weight_BI = 0.5 + 0.25 * young_BI
    by_topic = ByTopic(head, v_BV, lambda row_n, item_n: weight_BI[row_n, item_n], networks)
    term_BI = head.logits(tensor(v_BV)).numpy() * weight_BI
    row_n, item_n = np.array([0, 1, 2, 3, 3]), np.array([5, 1, 0, 7, 2])
    added_nNK = by_topic.of(row_n, item_n)
    assert (5, networks, topics) == added_nNK.shape
    np.testing.assert_allclose(term_BI[row_n, item_n], added_nNK.sum(axis=(1, 2)), rtol=1e-4, atol=1e-6)


def test_the_post_head_tells_people_apart() -> None:
    """Who posts like those who took an item has a higher score for it; its bias stays zero."""
    head = post_head(3, 2)
    v_2V = torch.eye(2)
    for _ in range(20):
        head.learn(v_2V, [0, 1])
    logits_2I = head.logits(v_2V)
    assert [0, 1] == logits_2I.argmax(dim=1).tolist()
    assert [0.0, 0.0, 0.0] == head.b_I.tolist()
