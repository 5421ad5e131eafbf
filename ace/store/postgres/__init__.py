"""A playbook on a PostgreSQL server: the same store, over another connection.

server_connection   opening, transactions, news of heads
server_session      how a connection is set up, what is refused, the learner's lock
lost_connection     making a connection again, and what became of a transaction
server_tables       making the tables, and looking whether they are ours
server_errors       PostgreSQL's errors as ours
dialect             the words of SQLite that PostgreSQL has others for; texts with a NUL
transfer            rows between a file and a server, in both directions
"""
