"""One verb per function: load, decide, save, emit. Reaches the world through `callcenter.ports`."""
