"""The gate: who passes, who does not, and what is given back."""

from __future__ import annotations

from pathlib import Path

import pytest

from brood.access.caller import ANYONE, Caller, current_caller
from brood.access.gate import MISSING, Gate, open_gate
from brood.access.keyring import LOOK_EVERY_S
from brood.access.verbs import RULES, SCOPES, Verb
from brood.protocol.errors import BroodError, Overloaded, PermissionDenied, RateLimited, Unauthenticated
from helpers.access import GRANTS, UNKNOWN_KEY, Keys, Time


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture
def gate(keys: Keys, time: Time) -> Gate:
    return keys.gate(time)


@pytest.mark.parametrize("verb", RULES)
def test_without_keys_everybody_may_do_everything(verb: Verb) -> None:
    assert open_gate().enter(verb, None, None) is ANYONE
    assert open_gate().enter(verb, "Basic eA==", "nonsense") is ANYONE


def test_a_key_makes_a_caller(gate: Gate, keys: Keys) -> None:
    caller = gate.enter("generate", keys.bearer("narrow"), None)
    assert caller == Caller("narrow", frozenset({"generate"}), ("glyphs-*", "tin?"), keys.ids["narrow"])


def test_the_ways_to_send_a_key(gate: Gate, keys: Keys) -> None:
    secret = keys.secrets["studio"]
    for authorization, api_key in [
        (f"Bearer {secret}", None),
        (f"bearer  {secret} ", None),
        (None, secret),
        (None, f" {secret} "),
        (f"Bearer {secret}", "nonsense"),
    ]:
        assert gate.enter("generate", authorization, api_key).name == "studio"


@pytest.mark.parametrize(
    ("authorization", "api_key"),
    [(None, None), (None, ""), ("", None), ("Bearer", None), ("Bearer ", None), ("Basic eDp5", None)],
)
def test_no_key_is_told_how_to_send_one(gate: Gate, authorization: str | None, api_key: str | None) -> None:
    with pytest.raises(Unauthenticated) as caught:
        gate.enter("generate", authorization, api_key)
    assert caught.value.message == MISSING


def test_another_scheme_wins_over_a_good_key(gate: Gate, keys: Keys) -> None:
    with pytest.raises(Unauthenticated):
        gate.enter("generate", "Basic eDp5", keys.secrets["studio"])


def test_what_is_open_asks_for_nothing(gate: Gate) -> None:
    assert gate.enter("open", None, None) is ANYONE
    assert gate.enter("open", f"Bearer {UNKNOWN_KEY}", None) is ANYONE


ALLOWED: dict[str, set[Verb]] = {
    "studio": {"open", "read", "generate", "cancel"},
    "operator": {"open", "read", "admin"},
    "scraper": {"open", "metrics"},
}


@pytest.mark.parametrize("name", ALLOWED)
@pytest.mark.parametrize("verb", RULES)
def test_scopes(gate: Gate, keys: Keys, name: str, verb: Verb) -> None:
    if verb in ALLOWED[name]:
        gate.enter(verb, keys.bearer(name), None)
        return
    with pytest.raises(PermissionDenied, match="has the scope") as caught:
        gate.enter(verb, keys.bearer(name), None)
    assert any(f"needed: {scope}" in caught.value.message for scope in SCOPES)


def test_too_fast_is_told_when_to_come_back(gate: Gate, keys: Keys, time: Time) -> None:
    for _ in range(2):
        gate.enter("generate", keys.bearer("slow"), None)
    time.seconds += 1.0
    with pytest.raises(RateLimited, match=r"allowed: 0.25 a second, 2 at once") as caught:
        gate.enter("read", keys.bearer("slow"), None)
    assert caught.value.retry_after_s == pytest.approx(3.0)
    gate.enter("cancel", keys.bearer("slow"), None)  # frees what others wait for: never too fast
    time.seconds += 3.0
    gate.enter("generate", keys.bearer("slow"), None)


def test_a_key_that_is_refused_is_not_counted(gate: Gate, keys: Keys) -> None:
    for _ in range(5):
        with pytest.raises(PermissionDenied):
            gate.enter("admin", keys.bearer("slow"), None)
    gate.enter("generate", keys.bearer("slow"), None)


def test_the_rate_of_one_key_is_nothing_to_another(gate: Gate, keys: Keys) -> None:
    for _ in range(2):
        gate.enter("generate", keys.bearer("slow"), None)
    for _ in range(50):
        gate.enter("generate", keys.bearer("studio"), None)


def test_a_bucket_outlives_a_change_of_the_file_that_is_not_about_it(gate: Gate, keys: Keys, time: Time) -> None:
    for _ in range(2):
        gate.enter("generate", keys.bearer("slow"), None)
    keys.revoke("studio")
    time.seconds += LOOK_EVERY_S
    with pytest.raises(RateLimited):
        gate.enter("generate", keys.bearer("slow"), None)


def test_a_limit_that_is_lifted_holds_no_more(gate: Gate, keys: Keys, time: Time) -> None:
    for _ in range(2):
        gate.enter("generate", keys.bearer("slow"), None)
    keys.path.write_text(keys.path.read_text().replace("0.25", "null"))
    time.seconds += LOOK_EVERY_S
    for _ in range(5):
        gate.enter("generate", keys.bearer("slow"), None)


def test_one_at_once(gate: Gate, keys: Keys) -> None:
    with gate.admitted("generate", keys.bearer("single"), None):
        with pytest.raises(RateLimited, match=r"run already as may; allowed: 1 at once") as caught:
            gate.admitted("generate", keys.bearer("single"), None).__enter__()
        assert caught.value.retry_after_s == 1.0
        with gate.admitted("read", keys.bearer("single"), None), gate.admitted("cancel", keys.bearer("single"), None):
            assert gate.running == 1
        with gate.admitted("generate", keys.bearer("studio"), None):
            assert gate.running == 2
    assert gate.running == 0
    with gate.admitted("generate", keys.bearer("single"), None):
        pass


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), GeneratorExit()])
def test_a_place_is_given_back_however_it_ends(gate: Gate, keys: Keys, error: BaseException) -> None:
    for _ in range(3):
        with pytest.raises(type(error)), gate.admitted("generate", keys.bearer("single"), None):
            raise error
    assert gate.running == 0


def test_all_callers_share_the_places(keys: Keys, time: Time) -> None:
    for gate, names in ((keys.gate(time, 2), ("studio", "narrow")), (Gate(None, 2), ("studio", "studio"))):
        first, second = (gate.admitted("generate", keys.bearer(name), None) for name in names)
        with first, second:
            with pytest.raises(Overloaded, match="2 generations run already") as caught:
                gate.admitted("generate", keys.bearer("lasting"), None).__enter__()
            assert caught.value.retry_after_s == 1.0
            with gate.admitted("read", keys.bearer("lasting"), None):
                pass
        with gate.admitted("generate", keys.bearer("lasting"), None):
            assert gate.running == 1


def test_while_it_lasts_the_task_works_for_the_caller(gate: Gate, keys: Keys) -> None:
    assert current_caller() is ANYONE
    with gate.admitted("generate", keys.bearer("studio"), None) as caller:
        assert current_caller() is caller
        assert caller.name == "studio"
    assert current_caller() is ANYONE


@pytest.mark.parametrize("name", [*sorted(GRANTS.keys() - {"operator"}), "nobody"])
def test_no_complaint_shows_the_key(gate: Gate, keys: Keys, name: str) -> None:
    secret = keys.secrets.get(name, UNKNOWN_KEY)
    with pytest.raises(BroodError) as caught:
        gate.enter("admin", f"Bearer {secret}", None)
    assert secret.rpartition("_")[2] not in caught.value.message
