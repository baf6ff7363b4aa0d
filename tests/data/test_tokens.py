"""Tokens: nothing of a text is lost but runs of white space, and a word looks the same wherever it stands."""

import hypothesis
import pytest
from hypothesis import strategies as st

from jaxgru.data.tokens import JOINER, holes, text_of, tokens

FRAGMENTS = (
    *"ab_'’-%{}<>&;()1.,/ \n\u2028\0\x1c",
    *(
        JOINER,
        JOINER * 2,
        "%(name)s",
        "%1$s",
        f'<a href="x {JOINER}">',
        "</b>",
        "&amp;",
        f"{{0:%d {JOINER}}}",
    ),
    *("l'", "qu’", "don't", "İ", "e\u0301", "3.14"),
)
ANY = st.text() | st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)


@hypothesis.settings(max_examples=500)
@hypothesis.given(text=ANY)
def test_the_text_comes_back(text: str) -> None:
    found = tokens(text)
    assert text_of(found) == " ".join(text.split())
    assert all(found)


@hypothesis.settings(max_examples=200)
@hypothesis.given(text=ANY)
def test_lower_case_changes_letters_alone(text: str) -> None:
    assert text_of(tokens(text, lowercase=True)).lower() == " ".join(text.split()).lower()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ""),
        (" \n", ""),
        ("Don't re-open it’s 3.5 1,000", "Don't re-open it’s 3.5 1,000"),
        ("Yes, no: 50%.", "Yes ￭, no ￭: 50 ￭% ￭."),
        ('Say "hello" (now)', 'Say "￭ hello ￭" (￭ now ￭)'),
        ("_Save as… foo_bar", "_￭ Save as ￭… foo ￭_￭ bar"),
        ("l'année qu’elle dell'arte o'clock", "l'￭ année qu’￭ elle dell'￭ arte o'clock"),
        ("(l'année _l'an", "(￭ l'￭ année _￭ l'￭ an"),
        ("%(name)s%(n)d days %s %1$s %.2f %d%%", "%(name)s ￭%(n)d days %s %1$s %.2f %d ￭%%"),
        (
            "Type %(type-name)s{} {name!r} {0:%d} ${x} #{y}",
            "Type %(type-name)s ￭{} {name!r} {0:%d} ${x} #{y}",
        ),
        ("<b>%s</b>&nbsp;<br/>x", "<b> ￭%s ￭</b> ￭&nbsp; ￭<br/>￭ x"),
        ("1 < 2 & 3 > 2; 100 % sure", "1 < 2 & 3 > 2 ￭; 100 % sure"),
        ("a￭b ￭ ￭￭", "a ￭￭￭ ￭b ￭￭ ￭￭ ￭￭￭"),
        ("Straße übergroß e\u0301te\u0301", "Straße übergroß e\u0301te\u0301"),
    ],
)
def test_what_is_one_token(text: str, found: str) -> None:
    assert " ".join(tokens(text)) == found


def test_a_tag_with_spaces_is_one_token() -> None:
    assert tokens('See <a href="x" class="y">this</a>') == ("See", '<a href="x" class="y">￭', "this", "￭</a>")


def test_placeholders_keep_their_case() -> None:
    assert tokens("Hello %(Name)s, SEE <B>L'Été</B>", lowercase=True) == (
        *("hello", "%(Name)s", "￭,", "see", "<B>￭", "l'￭", "été", "￭</B>"),
    )


def test_tokens_that_a_model_might_write_make_a_text() -> None:
    assert text_of(["￭,", "a", "(￭", "￭)", "￭", "b￭"]) == ", a () b"


@pytest.mark.parametrize("start", ["%", "%1$", "%(a)", "%+"])
@pytest.mark.parametrize("end", ["", "sa", ".", "a"])
def test_a_run_of_zeros_is_read_once(start: str, end: str) -> None:
    """A size of 100,000 zeros, which could be cut into flags and digits in as many ways, and is no placeholder."""
    text = start + "0" * 100_000 + end
    placeholder = start == "%(a)" and end[:1].isalpha()
    assert holes(text) == ([text[: -len(end)] + end[0]] if placeholder else [])
    assert text_of(tokens(text)) == text


def test_a_size_may_have_flags_and_zeros() -> None:
    for text in ("%05d", "%-08.3f", "%00d", "%(n)+010.2f", "%2$03d", "%0+01d", "%0d"):
        assert holes(text) == [text]


def test_placeholders_are_found_in_any_order() -> None:
    assert holes("%(b)s <i>{a}</i> %d") == holes("{a} %d%(b)s") == ["%(b)s", "%d", "{a}"]
    assert holes("100 % &amp; <b>50%</b>") == []
