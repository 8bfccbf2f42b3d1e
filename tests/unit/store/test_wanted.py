"""What shall be served: policies, changes by hand, one value that travels."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brood.protocol.errors import InvalidArgument
from brood.store.wanted import ALL, Change, Choice, Wanted, parse_versions, wanted


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("all", {1, 2, 5}),
        ("latest", {5}),
        ("latest:2", {2, 5}),
        ("latest:9", {1, 2, 5}),
        ("1,3", {1, 3}),
        ("[1, 3]", {1, 3}),
        ("none", set()),
    ],
)
def test_a_policy_chooses_of_what_is_there(text: str, chosen: set[int]) -> None:
    policy = parse_versions(text)
    assert policy.chosen([2, 5, 1]) == chosen
    assert parse_versions(str(policy)) == policy


@pytest.mark.parametrize("text", ["", "newest", "latest:0", "0", "1,,3", "-1", "1;3", "latest:x"])
def test_what_is_no_policy_is_told_with_what_would_be(text: str) -> None:
    with pytest.raises(ValueError, match="is not a version policy; allowed: latest, latest:N, all, none, or numbers"):
        parse_versions(text)


def test_settings_choose_models_and_versions() -> None:
    value = wanted({"": parse_versions("latest"), "a": parse_versions("1,3")}, ["a", "b"])
    assert [str(value.of(name).versions) for name in "ab"] == ["1,3", "latest"]
    assert value.of("c").chosen([1, 2]) == set()
    assert value.of("c").dismissed(1)
    assert value.named() == {"a", "b"}
    assert value.after("load", "c").of("c").chosen([1, 2]) == {2}, "whoever asks for it gets it, by the policy of all"
    assert wanted({}) == Wanted()
    with pytest.raises(InvalidArgument, match='"c" is not among the models to load: a, b'):
        wanted({"c": ALL}, ["a", "b"])


def test_a_model_goes_and_comes_back_with_its_policy() -> None:
    first = wanted({"": parse_versions("latest")})
    off = first.after("unload", "a")
    assert (off.revision, sorted(off.of("a").chosen([1, 2])), sorted(off.of("b").chosen([1, 2]))) == (1, [], [2])
    assert off.of("a").dismissed(2)
    assert off.named() == frozenset()
    on = off.after("load", "a")
    assert (on.revision, sorted(on.of("a").chosen([1, 2])), on.of("a").asked) == (2, [2], 2)
    assert not on.of("a").dismissed(1)


def test_single_versions_come_and_go_beside_the_policy() -> None:
    value = wanted({"": parse_versions("latest")}).after("load", "a", 1)
    assert value.of("a").chosen([1, 2, 3]) == {1, 3}
    value = value.after("unload", "a", 3)
    assert value.of("a").chosen([1, 2, 3]) == {1, 2}, "the policy takes the newest of the others"
    assert value.of("a").dismissed(3)
    value = value.after("unload", "a", 1)
    assert value.of("a").chosen([1, 2, 3]) == {2}
    value = value.after("load", "a", 3)
    assert value.of("a").chosen([1, 2, 3]) == {3}
    only = value.after("unload", "a").after("load", "a", 2)
    assert only.of("a").chosen([1, 2, 3]) == {2}, "of a model that was unloaded, this version alone"


def test_a_reload_has_the_revision_at_which_it_was_asked_for() -> None:
    value = Wanted().after("reload", "a", 2).after("reload", "b")
    assert (value.of("a").reload_of(2), value.of("a").reload_of(1)) == (1, 0)
    assert (value.of("b").reload_of(1), value.of("b").reload_of(7)) == (2, 2)
    assert value.after("reload", "a").of("a").reload_of(2) == 3


def test_a_host_of_few_models_sees_only_those() -> None:
    value = wanted({"a": parse_versions("1")}).after("load", "b", 2)
    part = value.only(["a"])
    assert (part.revision, part.of("a"), sorted(part.of("b").chosen([1, 2]))) == (1, value.of("a"), [])
    assert value.only([]) is value


CHANGES = st.lists(
    st.tuples(st.sampled_from(["load", "unload", "reload"]), st.sampled_from("ab"), st.none() | st.integers(1, 3))
)


@given(CHANGES)
def test_it_travels_unchanged(changes: list[tuple[Change, str, int | None]]) -> None:
    value = wanted({"": parse_versions("latest:2"), "a": parse_versions("1,3")})
    for change, name, version in changes:
        value = value.after(change, name, version)
    assert Wanted.from_json(value.to_json()) == value
    assert pickle.loads(pickle.dumps(value)) == value
    assert value.revision == len(changes)


@given(CHANGES, st.sets(st.integers(1, 5)))
def test_what_is_dismissed_is_not_chosen(changes: list[tuple[Change, str, int | None]], there: set[int]) -> None:
    value = Wanted()
    for change, name, version in changes:
        value = value.after(change, name, version)
    choice: Choice = value.of("a")
    assert not {version for version in choice.chosen(there) if choice.dismissed(version)}
