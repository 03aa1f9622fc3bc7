"""Lets `python -m callcenter.cli` be the same as `hotline`."""

from callcenter.cli import main

main()
