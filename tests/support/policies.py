"""What network policies allow, by the words of the API's documentation: kwok's pods send nothing, nobody enforces."""

from ipaddress import ip_address, ip_network


def allowed(policies, where, port, protocol="TCP", pod=None):
    """Return whether pods of the policies' namespace may connect to an address, or to the pods of a namespace.

    `where` is an address, or the name of a namespace. A policy that selects some pods only applies to a `pod` (labels).
    """
    own = [each for each in policies if _selects(each["spec"].get("podSelector") or {}, pod or {})]
    out = [each for each in own if "Egress" in each["spec"]["policyTypes"]]
    if not out:
        return True  # pods are open until a policy selects them
    rules = [rule for each in out for rule in each["spec"].get("egress") or []]
    return any(_goes(rule, where) and _has(rule, port, protocol) for rule in rules)


def opened(policies):
    """Return every address and port that is open, as `cidr:port`; `*` stands for all of one."""
    found = set()
    for policy in policies:
        for rule in policy["spec"].get("egress") or []:
            ports = [str(each.get("port", "*")) for each in rule.get("ports") or [{}]]
            blocks = [peer["ipBlock"]["cidr"] for peer in rule["to"] if "ipBlock" in peer] if rule.get("to") else ["*"]
            found |= {f"{block}:{port}" for block in blocks for port in ports}
    return found


def _selects(selector, labels):
    assert "matchExpressions" not in selector, "not needed so far"
    return all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())


def _has(rule, port, protocol):
    """Return whether a rule has a port; one without ports has all."""
    return not rule.get("ports") or any(
        each.get("protocol", "TCP") == protocol
        and ("port" not in each or each["port"] <= port <= each.get("endPort", each["port"]))
        for each in rule["ports"]
    )


def _goes(rule, where):
    """Return whether a rule leads there; one without destinations leads everywhere."""
    return not rule.get("to") or any(_is(peer, where) for peer in rule["to"])


def _is(peer, where):
    if "ipBlock" in peer:
        try:
            address = ip_address(where)
        except ValueError:
            return False  # a namespace: its pods are meant by labels
        inside = [ip_network(each) for each in [peer["ipBlock"]["cidr"], *peer["ipBlock"].get("except", [])]]
        return address in inside[0] and not any(address in each for each in inside[1:])
    assert "podSelector" not in peer, "not needed so far"
    return _selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": where})
