"""Checks of `ace doctor`: what is installed, reachable, slow or misconfigured, and what to do about it.

Its modules:

    finding      one thing that was looked at, and how it is
    packages     distributions that the package and its extras need
    machine      Python, disk, processor, SQLite, terminal
    user_settings  environment variables and files that somebody wrote
    model_access  weights and endpoints
    playbook_size  one playbook, in a file or on a server
    playbook_server  the server of one: how it is reached, rights, clocks, who learns
"""
