"""Every file Asterisk reads, rendered from one typed plan.

`plan_from(...)` -> `render(plan)` -> `write(files, folder)`; `check` proves the set on a real Asterisk.
"""
