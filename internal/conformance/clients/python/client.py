"""Tells on standard output, in lines of JSON, what the driver saw. See conformance_test.go for what is asked of it."""
import collections
import json
import os
import sys
import time

from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster, NoHostAvailable
from cassandra.query import BatchStatement, BatchType

INSERT = "INSERT INTO conformance.items (id, c, v) VALUES (?, ?, ?)"
SELECT = "SELECT id, c, v FROM conformance.items WHERE id = ?"


def say(step, **what):
    print(json.dumps(dict(what, step=step)), flush=True)


def type_name(t):
    return t.cql_parameterized_type().replace("varchar", "text")


def main():
    cluster = Cluster(
        cloud={"secure_connect_bundle": os.environ["BUNDLE"], "use_default_tempdir": True},
        auth_provider=PlainTextAuthProvider(os.environ["CQL_USER"], os.environ["CQL_PASSWORD"]),
    )
    try:
        session = cluster.connect()
    except NoHostAvailable as e:
        say("refused", error=repr(e))
        cluster.shutdown()
        return

    metadata = cluster.metadata
    ring = collections.Counter(str(host.host_id) for host in metadata.token_map.token_to_host_owner.values())
    say(
        "connected",
        protocol=cluster.protocol_version,
        nodes=[
            {
                "host_id": str(h.host_id),
                "datacenter": h.datacenter,
                "rack": h.rack,
                "version": h.release_version,
                "tokens": ring[str(h.host_id)],
            }
            for h in metadata.all_hosts()
        ],
    )

    table = metadata.keyspaces["conformance"].tables["items"]
    say(
        "schema",
        columns={name: c.cql_type for name, c in table.columns.items()},
        partition_key=[c.name for c in table.partition_key],
        clustering=[c.name for c in table.clustering_key],
    )

    insert, select = session.prepare(INSERT), session.prepare(SELECT)
    session.execute(insert, (7, 7, "seven"))
    say(
        "prepared",
        variables=[c.name + " " + type_name(c.type) for c in insert.column_metadata],
        key=insert.routing_key_indexes,
        columns=[c[2] + " " + type_name(c[3]) for c in select.result_metadata],
    )

    select.fetch_size = 100
    result = session.execute(select, (1,))
    rows, pages = 0, 0
    while True:
        pages += 1
        for row in result.current_rows:
            if row.c != rows or row.v != "row %d" % rows:
                raise ValueError("row %d is %r" % (rows, row))
            rows += 1
        if not result.has_more_pages:
            break
        result.fetch_next_page()
    say("paged", rows=rows, pages=pages)

    batch = BatchStatement(BatchType.LOGGED)
    batch.add(insert, (8, 1, "a"))
    batch.add(insert, (8, 2, "b"))
    session.execute(batch)
    batch = BatchStatement(BatchType.UNLOGGED)
    batch.add(insert, (8, 3, "c"))
    session.execute(batch)
    say("batched")

    result = session.execute("SELECT count(*) FROM conformance.items")
    say("warned", warnings=result.response_future.warnings or [])

    def read(n):
        select.is_idempotent = True
        served = collections.Counter()
        for i in range(n):
            future = session.execute_async(select, (100 + i,))
            future.result()
            served[str(future.coordinator_host.host_id)] += 1
        return served

    say("balanced", served=read(60))
    say("waiting")
    sys.stdin.readline()
    time.sleep(1)
    say("degraded", served=read(60))
    cluster.shutdown()


main()
