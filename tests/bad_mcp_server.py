"""A program that is no MCP server, for tests: its first argument says what it does instead."""

from __future__ import annotations

import sys
import time

match sys.argv[1]:
    case "dies":
        sys.exit("no licence")
    case "hangs":
        time.sleep(600)
    case "endless line":
        while True:
            sys.stdout.write("a" * 1_000_000)
    case "lists rubbish":
        for line in sys.stdin:
            number = line.partition('"id":')[2].partition(",")[0].strip("}\n ")
            if number:
                print(f'{{"jsonrpc": "2.0", "id": {number}, "result": 5}}', flush=True)
