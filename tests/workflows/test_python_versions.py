"""Which versions of Python a workflow asks for: as PEP 440 has it, which `packaging` knows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from workflows.python_versions import canonical, fits

PARTS = st.integers(0, 13)
VERSIONS = st.tuples(PARTS, PARTS, PARTS)
MARKS = ("~=", "==", "!=", "<=", ">=", "<", ">")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (">=3.11", ">=3.11"),
        (" >= 3.11 , < 3.13 ", ">=3.11,<3.13"),
        ("3.12", "==3.12.*"),
        ("3", "==3.*"),
        ("3.12.4", "==3.12.4"),
        ("==3.12.*", "==3.12.*"),
        ("!=3.11.2", "!=3.11.2"),
        ("~=3.11", "~=3.11"),
    ],
)
def test_a_specifier_has_one_way_of_writing(written: str, read: str) -> None:
    assert canonical(written) == read
    assert canonical(read) == read


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        ">=",
        "python3",
        "==3.11",
        ">=3.11.*",
        "~=3",
        "3.11 3.12",
        ">=3.11;",
        "===3.11",
        "3.13t",
        ">=3." + "1" * 500,
    ],
)
def test_what_is_no_specifier_is_none(text: str) -> None:
    assert canonical(text) is None


@given(
    st.tuples(PARTS, PARTS, PARTS),
    st.lists(st.tuples(st.sampled_from(MARKS), st.tuples(PARTS, PARTS, PARTS)), max_size=4),
)
def test_a_version_fits_where_packaging_says_so(
    version: tuple[int, int, int], clauses: list[tuple[str, tuple[int, int, int]]]
) -> None:
    text = ",".join(f"{mark}{'.'.join(map(str, wanted))}" for mark, wanted in clauses) or ">=0"
    assert canonical(text) == text
    assert fits(version, text) == (".".join(map(str, version)) in SpecifierSet(text))


@pytest.mark.parametrize("text", ["==3.11.*", "!=3.11.*", "~=3.11", ">=3.11,<3.13", ">3.11", "<=3.12"])
@pytest.mark.parametrize("version", [(3, 10, 9), (3, 11, 0), (3, 11, 4), (3, 12, 0), (3, 12, 1), (4, 0, 0)])
def test_a_short_version_fits_where_packaging_says_so(text: str, version: tuple[int, int, int]) -> None:
    assert fits(version, text) == (".".join(map(str, version)) in SpecifierSet(text))
