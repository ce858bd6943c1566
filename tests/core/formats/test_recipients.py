"""Recipients are read as age reads them, and no message quotes what may be a secret key."""

import pytest

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.recipients import is_recipient, is_secret, normal, recipients_in, rejoined

AGE = "age1p2pz02vgn9pksjhcxnd48t9lel5haavrsnx5v0mlwgsj39j3vexsst3sx7"
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN"
SECRET = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"


def test_a_file_of_recipients_is_read_line_by_line():
    text = f"# the team\n\n{AGE}\n{SSH} ann@laptop two words\n  {AGE}  \r\n"
    assert recipients_in(text, "team.txt") == [AGE, SSH, AGE]


@pytest.mark.parametrize("text", ["", "# nobody\n\n"])
def test_a_file_that_names_nobody(text):
    with pytest.raises(UsageError, match=r"^team\.txt contains no recipient$"):
        recipients_in(text, "team.txt")


@pytest.mark.parametrize("line", ["ecdsa-sha2-nistp256 AAAA", "hunter2", "-----BEGIN CERTIFICATE-----"])
def test_a_line_that_is_none_is_reported_by_its_number_and_not_quoted(line):
    with pytest.raises(UsageError, match=r"^team\.txt: line 2 is not a recipient") as caught:
        recipients_in(f"{AGE}\n{line}\n", "team.txt")
    assert line not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [SECRET, f"# public key: {AGE}\n{SECRET}\n", SECRET.lower(), "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n"],
)
def test_a_secret_key_is_known_wherever_it_stands(text):
    assert is_secret(text)
    with pytest.raises(UsageError, match="holds a secret key") as caught:
        recipients_in(text, "team.txt")
    assert "GFPYYSJZ" not in str(caught.value).upper()


@pytest.mark.parametrize("text", [AGE, SSH, "/keys/age-secret-key-of-ann.txt", "AGE-SECRET-KEY-1", "key.txt", ""])
def test_what_is_no_secret_key(text):
    assert not is_secret(text)


@pytest.mark.parametrize(
    ("text", "meant"), [(AGE, True), (SSH, True), ("ssh-ed25519.pub", False), ("./age.txt", False)]
)
def test_a_path_is_distinguished_from_a_recipient(text, meant):
    assert is_recipient(text) is meant


def test_ssh_keys_that_a_variable_has_cut_are_joined_again():
    assert rejoined([AGE, *SSH.split(), "team.txt", *SSH.split()]) == [AGE, SSH, "team.txt", SSH]
    assert rejoined(["ssh-rsa"]) == ["ssh-rsa"]
    assert rejoined([SSH, AGE]) == [SSH, AGE]


def test_a_comment_is_no_part_of_a_key():
    assert normal(f"{SSH}  ann@laptop") == normal(SSH) == SSH
    assert normal(f" {AGE} ") == AGE
