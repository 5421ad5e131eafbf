"""A proxy in front of a model's API: playbook in, episodes out, and all else byte for byte.

Two processes: the one that clients reach never waits for the other, which records and learns. Its modules:

    projects          whose playbook it is: projects, their keys and limits
    gate              who may come in, how often, and with which headers a request goes on
    shown             the text of each playbook, and which conversation was shown which
    forward           one request: to the upstream, back to the client, and to the spool
    application       the ASGI application, and feedback by the id of a reply
    run_proxy         listening until a signal ends it
    spool             what waits to be recorded, as files beside the playbook
    recorder_process  the process that records, seen from the one that forwards
    recorder_main     the program of that process
    recorder          makes episodes of what waits
    reply_index       which episode a reply belongs to
    signals           what a reply shows by itself, by rule
"""
