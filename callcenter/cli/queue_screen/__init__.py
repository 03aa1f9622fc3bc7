"""The supervisor's queue as a screen: full, in any terminal of 80×24, without colour, over a slow line.

`model` says what a key does, `draw` how it looks, `acts` what is done; only `terminal` knows a terminal.
"""
