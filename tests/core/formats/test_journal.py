import orjson
import pytest

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.journal import (
    FORMAT,
    REVERTED,
    Entry,
    Made,
    Previous,
    fold,
    made_by,
    parse_entries,
    parse_header,
)
from kubeferry.tasks.core.kube.objects import Ref

AT = "2026-01-02T03:04:05Z"
WEB, TOKEN = Ref("apps", "Deployment", "shop", "web"), Ref("", "Secret", "shop", "token")


def entry(event, **more):
    return Entry(at=AT, event=event, **more)


def will(action, *refs, level=1, **more):
    return entry("will", action=action, level=level, objects={str(ref): more.pop("uid", "") for ref in refs}, **more)


def did(action, ref, uid="u1", level=1):
    return entry("did", action=action, level=level, objects={str(ref): uid})


def test_what_was_announced_and_not_done_is_in_doubt():
    state = fold([will("create", WEB, TOKEN), did("created", WEB)])
    assert state.created == {WEB: Made("u1", 1)}
    assert state.doubtful == {TOKEN: 1}
    assert state.levels() == {1: {"created": 1, "in doubt": 1}}


def test_what_was_there_unchanged_is_not_in_doubt():
    state = fold([will("create", TOKEN), did("unchanged", TOKEN)])
    assert (state.created, state.doubtful) == ({}, {})


def test_the_first_previous_content_counts_and_its_line():
    first = will("update", WEB, TOKEN, uid="old", former="00000002.jsonl.gz", line=4)
    again = will("update", TOKEN, uid="new", former="00000009.jsonl.gz")
    state = fold([first, did("updated", TOKEN), again, did("updated", TOKEN)])
    assert state.formers[TOKEN] == Previous("", 1, "update", "00000002.jsonl.gz", 5)
    assert state.created == {}


def test_an_object_of_its_own_has_no_previous_content():
    state = fold([will("create", WEB), did("created", WEB), will("patch", WEB, former="00000002.jsonl.gz")])
    assert state.formers == {}


def test_what_was_recreated_is_deleted_and_restored():
    state = fold([will("recreate", TOKEN, former="00000001.jsonl.gz"), did("recreated", TOKEN, "u2")])
    assert (state.created[TOKEN].uid, TOKEN in state.formers) == ("u2", True)


def test_what_was_undone_is_gone():
    lines = [will("create", WEB), did("created", WEB), will("update", TOKEN, former="00000001.jsonl.gz")]
    lines += [entry("undid", action="deleted", objects={str(WEB): "u1"})]
    lines += [entry("undid", action="restored", objects={str(TOKEN): ""}), entry("end", phase="Undone", why="2")]
    state = fold(lines)
    assert (state.created, state.formers, state.done, state.end) == ({}, {}, {}, "Undone")


def test_what_was_in_doubt_and_is_undone_is_in_doubt_no_more():
    state = fold([will("create", WEB, TOKEN), entry("undid", action="deleted", objects={str(WEB): "u1"})])
    assert state.doubtful == {TOKEN: 1}


def test_what_is_made_already_and_announced_again_is_not_in_doubt():
    """A restore that is resumed announces its level once more."""
    state = fold([will("create", WEB), did("created", WEB), will("create", WEB, TOKEN, level=2)])
    assert (state.created, state.doubtful) == ({WEB: Made("u1", 1)}, {TOKEN: 2})


def test_levels_come_in_order_and_count_each_action_by_its_last_word():
    lines = [did("unchanged", TOKEN, level=3), did("created", WEB, level=1), did("updated", TOKEN, level=2)]
    state = fold([*lines, will("create", Ref("", "Secret", "shop", "other"), level=2)])
    assert list(state.levels().items()) == [(1, {"created": 1}), (2, {"updated": 1, "in doubt": 1})]
    assert str(state.last) == "2026-01-02 03:04:05+00:00"


def test_the_end_is_reported_with_its_reason():
    state = fold([entry("begin", why="me"), entry("end", phase="Failed", why="no room")])
    assert (state.holder, state.end, state.why) == ("me", "Failed", "no room")
    again = fold([entry("end", phase="Failed", why="no room"), entry("begin", why="you")])
    assert (again.holder, again.end, again.why) == ("you", "", "")


def test_who_begins_again_revokes_the_end():
    state = fold([entry("begin", why="one"), entry("end", phase="Stopped"), entry("begin", why="two")])
    assert (state.end, state.holder) == ("", "two")


@pytest.mark.parametrize(
    "ref",
    [
        WEB,
        TOKEN,
        Ref("rbac.authorization.k8s.io", "ClusterRole", "", "system:a b:c"),
        Ref("", "Namespace", "", "shop"),
        Ref("example.com", "Widget", "shop", "true"),
    ],
)
def test_a_name_is_read_back(ref):
    assert Ref.parse(str(ref)) == ref


@pytest.mark.parametrize("text", ["", "Secret", "Secret ", " shop/token", "Secret shop/"])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(ValueError, match="names no object"):
        Ref.parse(text)


def test_its_own_objects_have_its_manager():
    live = {"metadata": {"managedFields": [{"manager": "kubectl"}, {"manager": "kubeferry-0123456789ab"}]}}
    assert made_by(live, "kubeferry-0123456789ab")
    assert not made_by(live, "kubeferry-ba9876543210")
    assert not made_by({"metadata": {}}, "kubeferry-0123456789ab")
    for manager, made in (
        ("kubeferry-0123456789ab@bundle-uid", True),
        ("kubeferry-0123456789abc", False),
        ("x@kubeferry-0123456789ab", False),
        ("kubeferry", False),
    ):
        assert made_by({"metadata": {"managedFields": [{"manager": manager}]}}, "kubeferry-0123456789ab") is made
    assert not made_by({"metadata": {"managedFields": ["x", None, {}]}}, "kubeferry-0123456789ab")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "line 2 is damaged"),
        (b'{"at":"2026-01-02T03:04:05Z","event":"burn"}', "line 2 is damaged at 'event'"),
        (b'{"at":"2026-01-02T03:04:05Z","event":"did","objects":{"x":"y"}}', "'x' names no object"),
        (b'{"at":"2026-01-02T03:04:05Z","event":"did","more":1}', "line 2 is damaged at 'more'"),
        (b"\xff", "line 2 is damaged"),
    ],
)
def test_a_damaged_line_is_named(line, message):
    good = entry("begin").model_dump_json().encode()
    with pytest.raises(DamagedError, match=message):
        parse_entries(good + b"\n" + line + b"\n", "r", "00000001.jsonl")


def test_a_damaged_line_names_the_restore_and_the_segment_and_a_good_one_is_read():
    lines = [entry("begin", why="me"), did("created", WEB)]
    data = b"".join(each.model_dump_json().encode() + b"\n" for each in lines)
    assert list(parse_entries(data, "r", "00000007.jsonl")) == lines
    for bad in (b"{", b'{"at":"2026-01-02T03:04:05Z","event":"did","objects":{"x":"y"}}'):
        with pytest.raises(DamagedError, match=r"^restore r: 00000007\.jsonl line 3"):
            parse_entries(data + bad + b"\n", "r", "00000007.jsonl")


def test_after_which_ends_nothing_of_a_restore_is_left():
    assert set(REVERTED) == {"RolledBack", "Undone"}


def header(**more):
    target = {"context": "a", "host": "https://a", "uid": ""}
    data = {"format": FORMAT, "name": "r", "token": "0123456789ab", "backup": "b", "target": target}
    data |= {"namespaces": {}, "started": AT, "options": {}}
    return orjson.loads(orjson.dumps(data | more))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"format": "kubeferry.io/restore/v9"}, "of format 'kubeferry.io/restore/v9', this Kubeferry reads"),
        ({"name": "other"}, "is that of restore 'other'"),
        ({"token": "../../x"}, "damaged at 'token'"),
        ({"target": "here"}, "damaged at 'target'"),
    ],
)
def test_a_header_that_is_another_is_refused(more, message):
    with pytest.raises(DamagedError, match=message):
        parse_header(header(**more), "r")
    assert parse_header(header(), "r").manager == "kubeferry-0123456789ab"


@pytest.mark.parametrize("data", [None, [], "x", 1])
def test_a_header_that_is_none_is_refused(data):
    with pytest.raises(DamagedError, match="is of format"):
        parse_header(data, "r")
