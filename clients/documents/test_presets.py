"""The figures of the presets in the documents are those of the engine's file."""

from presets_reference import PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run clients/documents/presets_reference.py"
    )
