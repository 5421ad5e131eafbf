"""A playbook for agents in other processes, and for people: an MCP server, a proxy of an API, and pages.

Its modules:

    mcp_server  the protocol: tools, resources, what an error looks like
    transports  stdio, and HTTP with its token
    desk        what the tools do, as plain functions
    open_desk   a desk over a file or a folder, with the learner that each file gets
    shelf       which playbooks are served, and the learners that have them open
    arguments   what the tools take
    lessons     lessons that a client proposes
    results     what the tools return
    proxy       in front of a model's API, for clients that nobody can change; a package of its own
    books       which playbooks are served under which names
    review      the pages
    http_place  where servers listen, and by which names they are called
    author_names  whose word a version is
"""
