"""Open-weights models on this machine: their weights, their server, its slots.

Its modules:

    weights         which models there are, where their weights are, whether they are right
    fetch           how a large file comes here
    local_server    llama.cpp's server, started again where it ends
    server_process  one process of it, seen from here
    server_child    what runs in that process
    vocabulary      which texts its tokenizer takes as special tokens
    slots           which slot of it serves a call
"""
