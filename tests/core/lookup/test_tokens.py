"""What is a use of a value and what only looks like one: each hard case decided, and each with its reason."""

import pytest

from kubeferry.tasks.core.lookup.tokens import class_of, key_of, place_of, replaced, spelled, tokens

UID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
HOST = "a1b2.eu-west-1.elb.amazonaws.com"
KNOWN = dict.fromkeys(["10.0.0.1", "10.96.0.0", "fd00::7", "fd00::", "2001:db8::1:0:0:1", UID, HOST, "lb.local"])

USED = {
    # text → what is found in it
    "10.0.0.1": ["10.0.0.1"],
    "10.0.0.1:80": ["10.0.0.1"],
    "http://10.0.0.1:80/x?y=10.0.0.1#10.0.0.1": ["10.0.0.1"] * 3,
    "postgres://user:pw@10.0.0.1/db": ["10.0.0.1"],
    "jdbc:mysql://10.0.0.1,10.0.0.2:3306/db": ["10.0.0.1"],
    "a=10.0.0.1;b=10.0.0.2": ["10.0.0.1"],
    "--advertise=10.0.0.1": ["10.0.0.1"],
    "Connect to 10.0.0.1. Then wait.": ["10.0.0.1"],
    "(10.0.0.1)": ["10.0.0.1"],
    "<ip>10.0.0.1</ip>": ["10.0.0.1"],
    '{"ip":"10.0.0.1"}': ["10.0.0.1"],
    r'{"conf":"10.0.0.2\n10.0.0.1\n"}': ["10.0.0.1"],
    r'{"conf":"10.0.0.2\u000a10.0.0.1"}': ["10.0.0.1"],
    "http%3A%2F%2F10.0.0.1%3A80": ["10.0.0.1"],
    "10.0.0.1/32": ["10.0.0.1"],
    "10.0.0.1/24": ["10.0.0.1"],
    "http://10.96.0.0/16": ["10.96.0.0"],
    "10.0.0.1.nip.io": ["10.0.0.1"],
    "https://app.10.0.0.1.sslip.io/": ["10.0.0.1"],
    "10-0-0-1.shop.pod.cluster.local": ["10-0-0-1"],
    "http://10-0-0-1.shop.pod:80": ["10-0-0-1"],
    "fd00--7.shop.pod.cluster.local": ["fd00--7"],
    "10.0.0.1:5000/nginx:1.2": ["10.0.0.1"],
    "tcp:10.0.0.1:6641": ["10.0.0.1"],
    "/ip4/10.0.0.1/tcp/4001": ["10.0.0.1"],
    "host/10.0.0.1": ["10.0.0.1"],
    "release 10.0.0.1:80": ["10.0.0.1"],
    "conversion 10.0.0.1": ["10.0.0.1"],
    "serial\n10.0.0.1": ["10.0.0.1"],
    "serial: 7, host: 10.0.0.1": ["10.0.0.1"],
    "10.0.0.2/10.0.0.1": ["10.0.0.1"],
    "db:10.0.0.1": ["10.0.0.1"],
    "::ffff:10.0.0.1": ["10.0.0.1"],
    "地址10.0.0.1。": ["10.0.0.1"],
    "fd00::7": ["fd00::7"],
    "[fd00::7]:80": ["fd00::7"],
    "http://[FD00:0:0::7]:80/": ["FD00:0:0::7"],
    "fd00:0000:0000:0000:0000:0000:0000:0007": ["fd00:0000:0000:0000:0000:0000:0000:0007"],
    "2001:db8:0:0:1:0:0:1": ["2001:db8:0:0:1:0:0:1"],
    "fd00::7/128": ["fd00::7"],
    "fd00::7/64": ["fd00::7"],
    "fd00::7%eth0": ["fd00::7"],
    "fd00::7: unreachable": ["fd00::7"],
    "at fd00::7.": ["fd00::7"],
    r'"fd00::8\nfd00::7"': ["fd00::7"],
    UID: [UID],
    UID.upper(): [UID.upper()],
    f"urn:uuid:{UID}": [UID],
    f"/var/lib/kubelet/pods/{UID}/volumes": [UID],
    f"{UID}.json": [UID],
    f"pvc-{UID}": [UID],
    f"{UID}-db": [UID],
    f"dead-{UID}_beef": [UID],
    f"{UID}-{UID}_{UID}": [UID, UID, UID],
    f"web-1234-{UID[:8]}x-{UID}": [UID],
    f'"a\\n{UID}"': [UID],
    f"https://{HOST}:443/": [HOST],
    f"{HOST}.": [HOST],
    HOST.upper(): [HOST.upper()],
    f'"x\\n{HOST}"': [HOST],
    f"http%3A%2F%2F{HOST}": [HOST],
    "user@lb.local": ["lb.local"],
}

MISSED = [
    # a longer number
    "10.0.0.12",
    "110.0.0.1",
    "10.0.0.1.5",
    "1.10.0.0.1",
    "1.2.3.4.10.0.0.1",
    ".10.0.0.1",
    "10.0.0.1_2",
    "_10.0.0.1",
    "010.0.0.1",
    "10.0.0.01",
    "10.0.0.1234",
    "1234510.0.0.1",
    # a version
    "v10.0.0.1",
    "10.0.0.1-alpine",
    "10.0.0.1+build",
    "10.0.0.1~rc1",
    "~10.0.0.1",
    "^10.0.0.1",
    "chart-10.0.0.1",
    "10.0.0.1a",
    "version: 10.0.0.1",
    'VERSION="10.0.0.1"',
    '{"appVersion": "10.0.0.1"}',
    "release 10.0.0.1",
    "Release: 10.0.0.1",
    "APP_BUILD=10.0.0.1",
    "<version>10.0.0.1</version>",
    "since version 10.0.0.1 of it",
    "nginx/10.0.0.1",
    "User-Agent: curl/10.0.0.1 (x)",
    "https://example.com/releases/10.0.0.1/notes",
    "firmware = '10.0.0.1'",
    # a number of another kind
    "serial: 10.0.0.1",
    '{"serialNumber": "10.0.0.1"}',
    "--serial-number=10.0.0.1",
    "S/N: SN 10.0.0.1",
    "oid 10.0.0.1",
    "see section 10.0.0.1",
    # an image's tag
    "shop/nginx:10.0.0.1",
    "image: nginx:10.0.0.1",
    '"image":"nginx:10.0.0.1"',
    "--image=nginx:10.0.0.1",
    "registry.example.com:5000/nginx:10.0.0.1@sha256:00",
    # a name
    "10.0.0.1.example.com",
    "ip-10-0-0-1",
    "ip-10-0-0-1.ec2.internal",
    "ip-10-0-0-1.shop.pod",
    "10-0-0-1.example.com",
    "10-0-0-1.shop.podium",
    "10.0.0.1.nip.iox",
    "10.0.0.1.nip.io.example.com",
    # a network or a range
    "10.96.0.0/16",
    "10.96.0.0/12",
    "fd00::/64",
    "10.0.0.1-10.0.0.9",
    "10.0.0.0-10.0.0.1",
    # looks like IPv6
    "12:30:45",
    "2026-11-23T12:30:45Z",
    "aa:bb:cc:dd:ee:ff",
    "std::vector",
    "fd00::77",
    "fd00::7a",
    "1fd00::7",
    "xfd00::7",
    "fd00::7-x",
    "fd00::7.example",
    "0:fd00::7",
    "fd00::7:0",
    "[fd00:::7]",
    # a longer hex number
    f"0{UID}",
    f"{UID}0",
    f"{UID}-0305",
    f"1234-{UID}",
    f"a1b2_{UID}",
    f"{UID}_0305",
    UID.replace("-", ""),
    # another host
    f"x.{HOST}",
    f"{HOST}.example.com",
    f"{HOST}x",
    f"x-{HOST}",
    "lb.locale",
    "lb_local",
]


def found(text, **around):
    return [text[each.start : each.end] for each in tokens(text, KNOWN, **around)]


@pytest.mark.parametrize("text", USED)
def test_a_use_is_found(text):
    assert found(text) == USED[text]


@pytest.mark.parametrize("text", MISSED)
def test_a_near_miss_is_none(text):
    assert found(text) == []


@pytest.mark.parametrize(
    ("key", "text", "used"),
    [
        ("image", "nginx:10.0.0.1", []),
        ("initImage", "nginx:10.0.0.1", []),
        ("image", "10.0.0.1:5000/nginx", ["10.0.0.1"]),
        ("app.kubernetes.io/version", "10.0.0.1", []),
        ("appVersion", "10.0.0.1", []),
        ("serialNumber", "10.0.0.1", []),
        ("APP_RELEASE", "10.0.0.1", []),
        ("firmware", "10.0.0.1", []),
        ("oversight", "10.0.0.1", ["10.0.0.1"]),
        ("value", "10.0.0.1", ["10.0.0.1"]),
        ("secretName", f"{UID}-db", []),
        ("name", UID, []),
        ("value", UID, [UID]),
        ("hostname", "10.0.0.1", ["10.0.0.1"]),
    ],
)
def test_the_field_says_what_its_text_cannot(key, text, used):
    assert found(text, place=place_of(key)) == used


def test_of_two_that_overlap_the_longer_is_used():
    known = dict.fromkeys(["10.0.0.1", "10.0.0.1.nip.io"])
    assert [each.key for each in tokens("10.0.0.1.nip.io 10.0.0.1", known)] == ["10.0.0.1.nip.io", "10.0.0.1"]


def test_hosts_are_left_out_when_none_is_known():
    assert found(HOST, hosts=False) == []


@pytest.mark.parametrize(
    ("value", "key", "what"),
    [
        ("10.0.0.1", "10.0.0.1", "address"),
        ("FD00:0:0::7", "fd00::7", "address"),
        ("::ffff:10.0.0.1", "10.0.0.1", "address"),
        ("fe80::1%eth0", "fe80::1", "address"),
        (UID.upper(), UID, "uid"),
        (HOST.upper() + ".", HOST, "host"),
    ],
)
def test_a_value_has_one_spelling(value, key, what):
    assert key_of(value) == key
    assert class_of(key) == what


@pytest.mark.parametrize(
    "value",
    [
        "None",
        "127.0.0.1",
        "127.0.0.53",
        "::1",
        "::",
        "0.0.0.0",  # noqa: S104 - looked for, not bound
        "255.255.255.255",
        "224.0.0.1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "localhost",
        "db.localhost",
        "node-1",
        "10.0.0",
        "10.0.0.256",
        "10.0.0.01",
        "a,b.c",
    ],
)
def test_what_is_nobodys_is_no_value(value):
    assert key_of(value) is None


@pytest.mark.parametrize(
    ("new", "written", "as_written"),
    [
        ("10.0.9.9", "10.0.0.1", "10.0.9.9"),
        ("10.0.9.9", "10-0-0-1", "10-0-9-9"),
        ("fd00::9", "fd00--7", "fd00--9"),
        (UID, UID.upper(), UID.upper()),
        (UID, UID, UID),
        ("x-y.example.com", HOST, "x-y.example.com"),
    ],
)
def test_a_new_value_is_written_as_the_old_one_was(new, written, as_written):
    assert spelled(new, written) == as_written


def test_values_swap_in_one_pass():
    known = {"10.0.0.1": "10.0.0.2", "10.0.0.2": "10.0.0.1"}
    text = "10.0.0.1 10.0.0.2 10.0.0.1"
    assert replaced(text, tokens(text, known), lambda each: known[each.key]) == "10.0.0.2 10.0.0.1 10.0.0.2"
