"""A playbook on a PostgreSQL server: the same store, over another connection.

server_connection   opening, transactions, connecting again, news of heads
server_session      how a connection is set up, what is refused, the numbers of locks
server_lead         who learns: the locks of learners, and a count of them
server_signs        signs of life of a process that leads
server_tables       making the tables, and looking whether they are ours
server_look         what there is to know of a server and the playbook on it
server_errors       PostgreSQL's errors as ours
dialect             the words of SQLite that PostgreSQL has others for; texts with a NUL
"""
