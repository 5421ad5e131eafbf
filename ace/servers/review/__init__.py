"""Pages for a browser: what waits for a person, the playbook with its evidence, history, runs, search.

Its modules:

    review_app       addresses and what answers them
    web_guard        who may ask: host, origin, token, the size of a form
    view             what every page needs: the file, the branch, links, templates
    queue_pages      what waits
    playbook_pages   bullets, search, attempts
    history_pages    versions, differences, branches and tags
    run_pages        runs, accuracy over time
    decisions        what a person decides, a version each
    library          the files, and what was read of them a moment ago
    conflict_search  bullets that contradict each other, looked for in a thread

Every page is plain HTML that works without scripts; htmx.min.js (2.0.11, in htmx.LICENSE its terms) only
refreshes what is on one.
"""
