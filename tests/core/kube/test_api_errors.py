"""Each refusal of an API server is one line in our tree, and a Secret's values are never in it."""

import json

import pytest

from kubeferry.tasks.core import errors
from kubeferry.tasks.core.kube.api_errors import BY_STATUS, api_error, retries

MARK = "marked-secret-value"


def status(code, reason="", message="message", **details):
    return json.dumps(
        {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    ).encode()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, errors.InvalidError),
        (401, errors.CredentialsError),
        (402, errors.PermanentError),
        (403, errors.ForbiddenError),
        (404, errors.NotFoundError),
        (405, errors.InvalidError),
        (406, errors.PermanentError),
        (409, errors.ConflictError),
        (410, errors.ExpiredError),
        (413, errors.InvalidError),
        (415, errors.InvalidError),
        (422, errors.InvalidError),
        (429, errors.UnavailableError),
        (500, errors.UnavailableError),
        (502, errors.UnavailableError),
        (503, errors.UnavailableError),
        (504, errors.UnavailableError),
    ],
)
def test_each_status_is_an_error_of_its_own(code, kind):
    found = api_error(code, status(code), "create Deployment shop/web")
    assert type(found) is kind
    assert str(found).startswith("create Deployment shop/web: ")


def test_every_row_is_among_the_cases():
    assert set(BY_STATUS) == {400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429}


def test_the_reason_says_more_than_the_status():
    assert type(api_error(409, status(409, "AlreadyExists"), "x")) is errors.AlreadyExistsError
    assert type(api_error(409, status(409, "Conflict"), "x")) is errors.ConflictError
    assert type(api_error(410, status(410, "Gone"), "x")) is errors.ExpiredError
    assert type(api_error(400, status(400, "Expired"), "x")) is errors.ExpiredError


def test_the_servers_message_is_shown_in_one_line():
    found = api_error(
        422, status(422, "Invalid", "spec.replicas:\n  Invalid value: -1\n"), "create Deployment shop/web"
    )
    assert str(found) == "create Deployment shop/web: spec.replicas: Invalid value: -1"


def test_refused_credentials_say_what_to_do():
    assert "log in again" in str(api_error(401, status(401, "Unauthorized", "Unauthorized"), "list pods"))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>\n<h1>502 Bad Gateway</h1></html>", b"\xff\xfe", b"null", b"[]", b'"x"', b"7", b"{", b"[" * 100_000],
)
@pytest.mark.parametrize("secret", [True, False])
def test_a_body_that_is_no_status_leaves_the_status_code(body, secret):
    found = api_error(502, body, "get Secret shop/db", secret=secret)
    assert type(found) is errors.UnavailableError
    assert "502" in str(found)
    assert "html" not in str(found)


def test_of_a_secret_only_fields_and_reasons_are_shown():
    causes = [{"field": "data[password]", "reason": "FieldValueInvalid", "message": f'Invalid value: "{MARK}"'}]
    body = status(422, "Invalid", f'data[password]: Invalid value: "{MARK}"', causes=causes)
    error = str(api_error(422, body, "create Secret shop/db", secret=True))
    assert error == "create Secret shop/db: Invalid (422) data[password] (FieldValueInvalid)"


@pytest.mark.parametrize(
    "cause",
    [
        {"field": MARK, "reason": "FieldValueInvalid"},
        {"field": "data.password", "reason": MARK},
        {"field": f"data: {MARK}", "reason": "FieldValueInvalid"},
        {"field": 7, "reason": ["FieldValueInvalid"]},
        {"message": MARK},
    ],
)
def test_what_a_webhook_writes_in_their_place_is_not_reported(cause):
    """An admission webhook's answer is its author's, in every field of the Status."""
    error = str(api_error(403, status(403, MARK, MARK, causes=[cause]), "create Secret shop/db", secret=True))
    assert error == "create Secret shop/db: refused (403)"


def test_whose_right_is_lacking_is_named_for_secrets_too():
    message = (
        'secrets is forbidden: User "viewer" cannot create resource "secrets" in API group "" in the namespace "shop"'
    )
    error = str(api_error(403, status(403, "Forbidden", message), "create Secret shop/db", secret=True))
    assert error == f"create Secret shop/db: {message}"


@pytest.mark.parametrize("reason", ["AlreadyExists", "", None])
@pytest.mark.parametrize("details", [None, [], "x", {}, {"causes": None}, {"causes": "x"}, {"causes": ["x", 7]}])
def test_odd_details_are_passed_over(details, reason):
    body = json.dumps({"reason": reason, "details": details, "message": MARK}).encode()
    error = str(api_error(409, body, "create Secret shop/db", secret=True))
    assert error == f"create Secret shop/db: {reason or 'refused'} (409)"


POST = 'failed to call webhook: Post "https://guard.shop.svc:443/check?timeout=10s"'
DOWN = {
    "no Service": f'failed calling webhook "guard.example.com": {POST}: service "guard" not found',
    "no endpoints": f'failed calling webhook "guard.example.com": {POST}: no endpoints available for service "guard"',
    "refused": f'failed calling webhook "guard.example.com": {POST}: dial tcp 10.0.0.7:443: connection refused',
    "too slow": f'failed calling webhook "guard.example.com": {POST}: context deadline exceeded',
    "conversion": "conversion webhook for example.com/v1, Kind=Box failed: Post "
    '"https://guard.shop.svc:443/convert?timeout=30s": no endpoints available for service "guard"',
}
DUPLICATE = (
    "failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): "
    '.spec.template.spec.containers[name="web"].env: duplicate entries for key [name="MODE"]'
)


@pytest.mark.parametrize("message", DOWN.values(), ids=DOWN)
def test_a_webhook_that_does_not_answer_is_no_passing_error(message):
    body = status(500, "InternalError", f"Internal error occurred: {message}")
    found = api_error(500, body, "create ConfigMap shop/a")
    assert type(found) is errors.WebhookError
    assert found.webhook == ("" if message.startswith("conversion") else "guard.example.com")
    assert not isinstance(found, errors.TransientError)
    assert retries(500, body) in range(1, 6)


def test_of_a_secret_the_webhook_that_does_not_answer_is_named_and_nothing_else():
    body = status(500, "InternalError", f"Internal error occurred: {DOWN['refused']} {MARK}")
    found = api_error(500, body, "create Secret shop/a", secret=True)
    assert str(found) == 'create Secret shop/a: failed calling webhook "guard.example.com"'


def test_a_webhook_that_takes_its_time_is_asked_less_often_than_one_that_refuses():
    slow, refused = (status(500, "InternalError", DOWN[each]) for each in ("too slow", "refused"))
    assert retries(500, slow) < retries(500, refused)


def test_what_an_apply_cannot_merge_is_invalid_and_not_asked_again():
    body = status(500, "", DUPLICATE)
    found = api_error(500, body, "apply Deployment shop/web")
    assert (type(found), retries(500, body)) == (errors.DuplicateKeysError, 0)
    assert isinstance(found, errors.InvalidError)


@pytest.mark.parametrize(
    ("code", "message"),
    [(500, "etcdserver: leader changed"), (500, "rpc error"), (503, DOWN["refused"]), (429, DUPLICATE)],
)
def test_every_other_answer_is_asked_again_as_before(code, message):
    assert retries(code, status(code, "InternalError", message)) is None
    assert type(api_error(code, status(code, "", message), "x")) is errors.UnavailableError


def test_a_webhook_that_denies_is_a_refusal_whatever_it_writes():
    body = status(403, "Forbidden", f'admission webhook "g.example.com" denied the request: {DOWN["refused"]}')
    assert type(api_error(403, body, "x")) is errors.ForbiddenError
