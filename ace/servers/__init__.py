"""A playbook for agents in other processes: a server of the Model Context Protocol, and a proxy of an API.

Its modules:

    mcp_server  the protocol: tools, resources, what an error looks like
    transports  stdio, and HTTP with its token and its names
    desk        what the tools do, as plain functions
    open_desk   a desk over a file or a folder, with the learner that each file gets
    shelf       which files are served, and the learners that have them open
    arguments   what the tools take
    lessons     lessons that a client proposes
    results     what the tools return
    proxy       in front of a model's API, for clients that nobody can change; a package of its own
"""
