"""The texts name what is there: links, headings, paths and names of the code; and the README stays short."""

import re

import pytest
from tests.docs.readmes import ROOT, TEXTS

LONGEST, LONG = 220, 400
"""Lines of the README, which a newcomer reads to the end, and of any other text."""

FILES = sorted(
    {
        *TEXTS,
        *(path.relative_to(ROOT).as_posix() for top in (".github", "tests") for path in (ROOT / top).rglob("*.md")),
    }
)
TOPS = r"(?:flows|tasks|deployments|tests|\.ci|\.github)/"
NAMES = re.compile(r"NAME|[*…<]")
"""What stands for other names in a path."""


def text_of(path):
    return (ROOT / path).read_text()


def prose(path):
    """Return a text without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text_of(path), flags=re.MULTILINE | re.DOTALL)


def anchors(path):
    """Return what a link may name after `#`: headings as GitHub writes them."""
    heads = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def links(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if not re.match(r"[a-z]+:", target):
            file, _, anchor = target.partition("#")
            yield target, (ROOT / path).parent / file if file else ROOT / path, anchor


@pytest.mark.parametrize("path", FILES)
def test_a_text_is_short(path):
    assert len(text_of(path).splitlines()) <= (LONGEST if path == "README.md" else LONG)


@pytest.mark.parametrize("path", FILES)
def test_links_lead_to_what_is_there(path):
    for target, file, anchor in links(path):
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.resolve().relative_to(ROOT)), target


@pytest.mark.parametrize("path", FILES)
def test_paths_that_are_named_are_there(path):
    named = re.findall(rf"`({TOPS}[^`\s]*)`", prose(path))
    assert [each for each in named if not NAMES.search(each) and not (ROOT / each).exists()] == []


@pytest.mark.parametrize("path", FILES)
def test_a_name_is_in_the_file_that_is_given_for_it(path):
    named = re.findall(rf"`(\w+)`\s+in\s+`({TOPS}[^`\s]*\.py)`", prose(path))
    assert [each for each in named if not re.search(rf"\b{each[0]}\b", text_of(each[1]))] == []
