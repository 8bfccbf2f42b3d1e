"""What is to be done, from what is wanted, what there is and what is held."""

from hypothesis import given
from hypothesis import strategies as st

from brood.host.reconcile import Held, Key, next_steps
from brood.store.source import Found
from brood.store.wanted import Change, Wanted, parse_versions, wanted


def found(*keys: Key, stamp: str = "s") -> list[Found]:
    """Bundles of a store."""
    return [Found(name, version, f"{name}/{version}", stamp) for name, version in sorted(keys)]


def ready(*keys: Key, stamp: str = "s") -> dict[Key, Held]:
    """Versions that serve."""
    return {key: Held(ready=True, stamp=stamp) for key in keys}


LATEST = wanted({"": parse_versions("latest")})


def test_what_is_wanted_and_there_is_loaded_in_order() -> None:
    steps = next_steps(Wanted(), found(("b", 1), ("a", 2), ("a", 1)), {})
    assert [each.key for each in steps.load] == [("a", 1), ("a", 2), ("b", 1)]
    assert (steps.drop, steps.absent) == ((), {})


def test_the_old_version_serves_until_the_new_one_is_ready() -> None:
    both = found(("a", 1), ("a", 2))
    steps = next_steps(LATEST, both, ready(("a", 1)))
    assert ([each.key for each in steps.load], steps.drop) == ([("a", 2)], ())
    failed = {**ready(("a", 1)), ("a", 2): Held(ready=False, stamp="s")}
    steps = next_steps(LATEST, both, failed)
    assert (steps.load, steps.drop) == ((), ()), "the new one does not work: the old one serves on"
    steps = next_steps(LATEST, both, ready(("a", 1), ("a", 2)))
    assert (steps.load, steps.drop) == ((), (("a", 1),))


def test_what_the_store_has_lost_serves_until_another_takes_its_place() -> None:
    steps = next_steps(LATEST, found(("b", 1)), ready(("a", 2), ("b", 1)))
    assert (steps.load, steps.drop) == ((), ())
    steps = next_steps(LATEST, found(("a", 1), ("b", 1)), ready(("a", 2), ("b", 1)))
    assert ([each.key for each in steps.load], steps.drop) == ([("a", 1)], ())
    steps = next_steps(LATEST, found(("a", 1), ("b", 1)), ready(("a", 1), ("a", 2), ("b", 1)))
    assert steps.drop == (("a", 2),)


def test_what_was_unloaded_by_hand_goes_at_once() -> None:
    there = found(("a", 1), ("a", 2))
    steps = next_steps(LATEST.after("unload", "a"), there, ready(("a", 2)))
    assert (steps.load, steps.drop) == ((), (("a", 2),))
    steps = next_steps(LATEST.after("unload", "a", 2), there, ready(("a", 2)))
    assert ([each.key for each in steps.load], steps.drop) == ([("a", 1)], (("a", 2),))


def test_what_failed_is_tried_again_when_there_is_a_reason() -> None:
    there = found(("a", 1))
    failed = {("a", 1): Held(ready=False, stamp="s")}
    assert next_steps(Wanted(), there, failed).load == ()
    for reason in (
        next_steps(Wanted().after("load", "a"), there, failed),
        next_steps(Wanted(), found(("a", 1), stamp="other"), failed),
        next_steps(Wanted(), there, {("a", 1): Held(ready=False, stamp="s", due=True)}),
    ):
        assert [each.key for each in reason.load] == [("a", 1)]
    tried = {("a", 1): Held(ready=False, tried=1, stamp="s")}
    assert next_steps(Wanted().after("load", "a"), there, tried).load == ()


def test_other_bytes_under_the_same_number_wait_for_a_reload() -> None:
    there, serving = found(("a", 1), ("a", 2), stamp="other"), ready(("a", 1), ("a", 2))
    assert next_steps(Wanted(), there, serving).load == ()
    assert next_steps(Wanted().after("load", "a"), there, serving).load == ()
    steps = next_steps(Wanted().after("reload", "a", 2), there, serving)
    assert ([each.key for each in steps.load], steps.drop) == ([("a", 2)], ())
    done = {**serving, ("a", 2): Held(ready=True, tried=1, stamp="other")}
    assert next_steps(Wanted().after("reload", "a", 2), there, done).load == ()


def test_what_is_wanted_by_name_and_not_there_is_told() -> None:
    value = wanted({"a": parse_versions("1,3")}, ["a", "b"])
    steps = next_steps(value, found(("a", 1), ("a", 2), ("c", 1)), {})
    assert [each.key for each in steps.load] == [("a", 1)]
    assert steps.absent == {
        ("a", 3): "no such version; there are: 1, 2",
        ("b", 0): "no such bundle; there are: a, c",
    }
    steps = next_steps(value, found(("a", 1), ("c", 1)), ready(("a", 3), ("b", 1)))
    assert steps.absent == {}, "what serves is not missing"


NAMES, NUMBERS = st.sampled_from("ab"), st.integers(1, 3)
KEYS = st.sets(st.tuples(NAMES, NUMBERS))
POLICIES = st.sampled_from(["all", "latest", "latest:2", "1,3", "none"])
CHANGES = st.lists(st.tuples(st.sampled_from(["load", "unload", "reload"]), NAMES, st.none() | NUMBERS), max_size=4)


@given(POLICIES, CHANGES, st.lists(KEYS, min_size=1, max_size=3), st.sets(st.tuples(NAMES, NUMBERS)))
def test_doing_what_is_to_be_done_comes_to_an_end(
    policy: str, changes: list[tuple[Change, str, int | None]], stores: list[set[Key]], broken: set[Key]
) -> None:
    value, held = wanted({"": parse_versions(policy)}), dict[Key, Held]()
    for number, keys in enumerate(stores):
        there = found(*keys, stamp=str(number))
        for change in changes:
            value = value.after(*change)
        for _ in range(100):
            serving = {name for (name, _), each in held.items() if each.ready}
            steps = next_steps(value, there, held)
            for key in steps.drop:
                del held[key]
            for name in serving:
                kept = any(key[0] == name and each.ready for key, each in held.items())
                by_hand = all(value.of(name).dismissed(version) for gone, version in steps.drop if gone == name)
                assert kept or by_hand, "a model that serves goes by hand only"
            if not steps.load:
                break
            first = steps.load[0]
            was_ready = first.key in held and held[first.key].ready
            held[first.key] = Held(was_ready or first.key not in broken, value.revision, first.stamp)
        else:
            raise AssertionError("no end")
        for name in "ab":
            chosen = value.of(name).chosen({version for other, version in keys if other == name})
            assert {key for key in held if key[0] == name} >= {(name, each) for each in chosen if (name, each) in keys}
