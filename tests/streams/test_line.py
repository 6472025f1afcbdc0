"""Promises of streams/line.py."""

from dataclasses import replace

from streams.line import Output, drive
from streams.records import Interaction, Post
from tests.streams.small import DAY, TEXTS, line, posted, took

HOUR = 3_600_000


def _run(records: list[Post | Interaction], **settings: int | str) -> list[Output]:
    return list(drive(line(**settings), records))


def test_the_window_of_a_step_is_what_was_posted_since_the_last_interaction() -> None:
    """A post at the very time of an interaction belongs to the next window; the gap is the time in between."""
    one = line()
    outputs = list(drive(one, [posted("ann", TEXTS[0], DAY), took("ann", "a", 2 * DAY, 0), posted("ann", TEXTS[1], 2 * DAY, 1)]))
    assert ["post", "interaction"] == [made.trigger for output in outputs for made in output.lists]
    list(drive(one, [posted("ann", "zzz", 3 * DAY, 2)]))
    (made,) = one.recommend([one._request("ann", "post", took("ann", "a", 0).source, 4 * DAY)])
    assert (172_800.0, {"twitter": 2, "gplus": 0}) == (made.window["gap_seconds"], made.window["posts"])
    assert 1 == one.counts["posts_without_evidence"]


def test_a_tie_is_ranked_before_any_of_it_is_learned() -> None:
    """Interactions of one time give the ranks they would give alone, and are learned once the time has passed."""
    alone = [_run([took(user, item, DAY)])[-1].taken[0].rank_scored for user, item in (("ann", "a"), ("bob", "b"))]
    one = line(wave=1)
    outputs = list(drive(one, [took("ann", "a", DAY, 0), took("bob", "b", DAY, 1), took("ann", "c", 2 * DAY, 2)]))
    assert alone == [taken.rank_scored for output in outputs for taken in output.taken][:2]
    assert [0, 2, 1] == [len(output.learned) for output in outputs]


def test_several_interactions_of_a_user_at_one_time_are_steps_of_their_own() -> None:
    """They are ranked in order, with gap 0, each with a list of its own, and none sees what another has taught."""
    one = line()
    outputs = list(drive(one, [took("ann", item, DAY, offset) for offset, item in enumerate("abc")]))
    lists = [made for output in outputs for made in output.lists]
    assert ["events-0-0", "events-0-1", "events-0-2"] == [made.id for made in lists]
    assert 3 == one.users["ann"].memory.steps
    assert [["d"]] * 3 == [[entry["item"] for entry in made.items] for made in lists]


def test_waves_hold_distinct_users_and_depend_on_the_records_alone() -> None:
    """A wave closes when it is full or a user comes twice, whatever the records' times."""
    records: list[Post | Interaction] = [took(user, "a", DAY + n, n) for n, user in enumerate(["u1", "u2", "u3", "u1", "u4"])]
    assert [2, 2, 1] == [len(output.taken) for output in _run(records, wave=2)]
    assert [3, 2] == [len(output.taken) for output in _run(records, wave=64)]


def test_the_published_rank_is_that_of_the_list_the_user_had() -> None:
    """The first interaction has no list before it; the next is looked up in the list that the first one gave."""
    outputs = _run([took("ann", "a", DAY, 0), took("ann", "d", 2 * DAY, 1)])
    first, second = (output.taken[0] for output in outputs)
    listed = [entry["item"] for entry in outputs[0].lists[0].items]
    assert first.rank_published is None
    assert listed.index("d") + 1 == second.rank_published
    assert "a" not in listed


def test_a_list_tells_of_the_interaction_before_it() -> None:
    """It has the ranks, and posts, topics and gap of the window that the interaction closed; the list after a post has none of it."""
    records: list[Post | Interaction] = [took("ann", "a", DAY), took("bob", "b", 30 * HOUR), posted("ann", TEXTS[0], 40 * HOUR, 2)]
    records.append(took("ann", "d", 2 * DAY, 3))
    lists = [made for output in _run(records, wave=1) for made in output.lists if made.user == "ann"]
    first, posted_list, second = sorted(lists, key=lambda made: made.at)
    assert first.last is not None
    assert (None, 0) == (first.last.window["gap_seconds"], first.window["gap_seconds"])
    assert posted_list.last is None
    assert second.last is not None
    assert (86_400.0, {"twitter": 1, "gplus": 0}) == (second.last.window["gap_seconds"], second.last.window["posts"])
    assert posted_list.window["topics"] == second.last.window["topics"]
    assert 1 <= (second.last.rank_popularity or 0) <= 3


def test_late_posts_are_counted_and_kept_or_dropped() -> None:
    """A post older than its user's last interaction goes to the open window, or nowhere, by the setting."""
    records: list[Post | Interaction] = [took("ann", "a", 2 * DAY), posted("ann", TEXTS[0], DAY)]
    for setting, expected in (("include", 1), ("drop", 0)):
        one = line(late_posts=setting)
        list(drive(one, records))
        assert (1, expected) == (one.counts["late_posts"], int(one.users["ann"].window.posts_N[0]))


def test_a_post_renews_a_list_only_when_it_is_old() -> None:
    """Posts within `refresh_seconds` of the last list give none; 0 gives none ever."""
    records: list[Post | Interaction] = [posted("ann", TEXTS[0], DAY + n * HOUR // 2, n) for n in range(5)]
    assert 2 == sum(len(output.lists) for output in _run(records, refresh_seconds=3600))
    assert 0 == sum(len(output.lists) for output in _run(records, refresh_seconds=0))


def test_an_unknown_item_is_learned_and_listed_afterwards() -> None:
    """A new item has no rank, then a row, and from then on it can be recommended to others."""
    one = line()
    outputs = list(drive(one, [took("ann", "new", DAY, 0), took("bob", "a", 2 * DAY, 1)]))
    assert outputs[0].taken[0].rank_scored is None
    assert 1 == one.counts["unknown_items"]
    assert "new" in [entry["item"] for made in outputs[-1].lists for entry in made.items]


def test_a_record_sent_twice_is_counted_and_skipped() -> None:
    """A post or interaction whose id its user has sent lately changes nothing; without an id, or on another Kafka topic, it counts."""
    post, interaction = replace(posted("ann", TEXTS[0], DAY), id="7"), replace(took("ann", "a", 2 * DAY), id="7")
    twice: list[Post | Interaction] = [post, replace(post, at=DAY + 1), interaction, replace(interaction, at=3 * DAY, item="b")]
    one, other = line(), line()
    list(drive(one, twice))
    list(drive(other, [post, interaction]))
    assert 2 == one.counts["repeated_records"]
    assert ["a"] == one.users["ann"].owned
    assert other.recommender.state_hash() == one.recommender.state_hash()
    assert 1 == one.users["ann"].memory.steps
    list(drive(one, [posted("ann", TEXTS[0], 4 * DAY)] * 2))
    assert 2 == one.users["ann"].window.posts_N.sum()


def test_ids_owned_items_and_ties_are_bounded() -> None:
    """Of ids and owned items the latest stay; a tie beyond the limit is learned in parts; what the limits do is counted."""
    one = line(ids_kept=2, owned_kept=2, tie_limit=2, wave=1)
    outputs = list(drive(one, [replace(took("ann", item, DAY, number), id=item) for number, item in enumerate("abcd")]))
    assert (["c", "d"], 2) == (one.users["ann"].owned, one.counts["dropped_owned"])
    again = [one.skips(replace(took("ann", "d", 2 * DAY, 9), id=item)) for item in "bcd"]
    assert [False, True, True] == again
    assert 1 == one.counts["cut_ties"]
    assert 4 == sum(len(output.learned) for output in outputs)


def test_a_cut_tie_is_counted_once() -> None:
    """However often it is asked whether a tie is too long, learning it in two parts is one cut."""
    one = line(tie_limit=2, wave=2)
    list(drive(one, [took(user, "a", DAY, number) for number, user in enumerate(("ann", "bob", "cat", "dan", "eve"))]))
    assert 1 == one.counts["cut_ties"]


def test_years_of_posts_without_interaction_stay_small() -> None:
    """The window of a user who only posts keeps as many days as the first window reaches back."""
    one = line()
    list(drive(one, [posted("ann", TEXTS[n % 4], n * DAY, n) for n in range(1000)]))
    assert 31 == len(one.users["ann"].window.days)


def test_a_forgotten_user_leaves_state_and_weights() -> None:
    """His state and his row go; replaying the lessons takes the row away at the same place."""
    one, other = line(), line()
    learned = [made for output in drive(one, [took("ann", "a", DAY), took("cat", "b", 2 * DAY, 1)]) for made in output.learned]
    lessons = [made.lesson.to_bytes() for made in learned] + [one.forget("ann").to_bytes()]
    lessons += [made.lesson.to_bytes() for output in drive(one, [took("dan", "b", 3 * DAY, 2)]) for made in output.learned]
    assert "ann" not in one.users
    assert one.recommender.users.get("ann") is None
    assert not any("ann" in str(name) for name in one.recommender.users.names())
    for value in lessons:
        other.recommender.replay(value)
    assert one.recommender.state_hash() == other.recommender.state_hash()
