"""The generated reference pages, one module a page. `docs/build_reference.py` writes them."""
