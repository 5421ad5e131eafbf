"""Environments of other people's worlds: games, services, tables.

A world runs in a process of its own, which is ended when it hangs. A module `play_...` runs there and is the
only one that knows a package.

    world_process  lends processes
    serve_world  the other end of the line
    check_call  holds a call against the schema of its tool; says what can be seen of calls
    text_game  games in text, whose score is the game's
    text_game_toml  their tables of task.toml
    play_textworld  TextWorldExpress
    play_scienceworld  ScienceWorld
    bfcl  BFCL's multi-turn tasks: services, and a user who asks for one thing after another
    bfcl_toml  its table
    play_bfcl  the services
    tables  tables that are changed by SQL, judged by their rows
    tables_toml  its table
    tau2_environment  desks of tau2-bench, judged by their databases
    tau2_workspace  their MCP servers
    tau2_toml  their table
"""
