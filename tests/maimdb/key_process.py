"""Uses a key in a process of its own. Arguments: the URL, how often, or `watch`; the key on standard input.

`watch` verifies until it is refused, and prints what happened on a line each.
"""

import sys
import time

from maimdb import init_database
from maimdb.core import api_keys
from maimdb.core.errors import InvalidKeyError

url, how = sys.argv[1:]
text = sys.stdin.readline().strip()
init_database(url)
if how == "watch":
    api_keys.verify(text)
    sys.stdout.write("valid\n")
    sys.stdout.flush()
    try:
        while True:
            api_keys.verify(text)
            time.sleep(0.002)
    except InvalidKeyError:
        sys.stdout.write(f"{time.time()}\n")
else:
    for _ in range(int(how)):
        api_keys.verify(text)
