"""Environments of other people's worlds: games, simulated services, tables.

A world runs in a process of its own, which is ended when it hangs. `world_process` lends such processes,
`serve_world` is the other end of the line, and a module `play_...` knows one package. `text_game` is for
TextWorldExpress and ScienceWorld.
"""
