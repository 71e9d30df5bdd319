"""A program: an embedded server with users and TLS, in the folder of its certificate, until stdin ends."""

import sys
from pathlib import Path

import pymongo
from secantus import SecantusDBServer

folder = Path(sys.argv[1])
place = {"host": "127.0.0.1", "port": 0, "storage_path": str(folder / "secured"), "ttl_sweep_seconds": 0}

server = SecantusDBServer(**place)
server.start()
with pymongo.MongoClient(server.uri) as client:
    create = client.admin.command
    create("createUser", "boss", pwd="p@ss/wörd", roles=["root"])
    create("createUser", "writer", pwd="pencil", roles=[{"role": "readWrite", "db": "shop"}])
    create("createUser", "reader", pwd="glasses", roles=[{"role": "read", "db": "shop"}])
server.stop()

server = SecantusDBServer(
    **place,
    require_auth=True,
    tls_cert_file=str(folder / "cert.pem"),
    tls_key_file=str(folder / "key.pem"),
)
server.start()
print(f"127.0.0.1:{server.address[1]}", flush=True)  # noqa: T201
sys.stdin.read()
server.stop()
