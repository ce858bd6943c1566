"""Which key signs what this process writes into stores, and which keys must have signed what it reads from them.

A command's options say it, and the environment. The environment's word always holds: a worker that has
`KUBEFERRY_VERIFY_WITH` takes nothing unsigned, whatever a flow run asks for. So these are no parameters of flows.
"""

import os

SIGN, VERIFY = "KUBEFERRY_SIGN_WITH", "KUBEFERRY_VERIFY_WITH"


class _Given:
    """What the options of this invocation say."""

    sign_with = ""
    verify_with = ""


def forget() -> None:
    """Start an invocation without options."""
    _Given.sign_with = _Given.verify_with = ""


def sign_with(path: str) -> None:
    """Sign with the private key in a file."""
    _Given.sign_with = path


def verify_with(path: str) -> None:
    """Take only what is signed by one of the public keys in a file."""
    _Given.verify_with = path


def signing() -> str:
    """Return the path of the private key to sign with, "" for none."""
    return _Given.sign_with or os.environ.get(SIGN, "")


def trusted() -> list[str]:
    """Return the paths of files of public keys: a signature has to be of one key of each."""
    return list(dict.fromkeys(filter(None, (os.environ.get(VERIFY, ""), _Given.verify_with))))
