// Tells on standard output, in lines of JSON, what the driver saw. See conformance_test.go for what is asked of it.
'use strict';
const readline = require('readline');
const cassandra = require('cassandra-driver');

const INSERT = 'INSERT INTO conformance.items (id, c, v) VALUES (?, ?, ?)';
const SELECT = 'SELECT id, c, v FROM conformance.items WHERE id = ?';
const say = (step, what) => console.log(JSON.stringify({ step, ...what }));
const typeNames = cassandra.types.dataTypes;
const typeName = (type) => Object.keys(typeNames).find((name) => typeNames[name] === type.code).replace('varchar', 'text') +
  (type.info && type.code === typeNames.set ? '<' + typeName(type.info) + '>' : '');

async function main() {
  const client = new cassandra.Client({
    cloud: { secureConnectBundle: process.env.BUNDLE },
    credentials: { username: process.env.CQL_USER, password: process.env.CQL_PASSWORD },
  });
  try {
    await client.connect();
  } catch (e) {
    const inner = Object.values(e.innerErrors || {}).map(String);
    say('refused', { error: [String(e), ...inner].join('; ') });
    return client.shutdown();
  }
  const id = (host) => String(host.hostId);
  say('connected', {
    protocol: client.controlConnection.protocolVersion,
    nodes: client.hosts.values().map((h) => ({
      host_id: id(h), datacenter: h.datacenter, rack: h.rack, version: h.cassandraVersion, tokens: h.tokens.length,
    })),
  });

  const table = await client.metadata.getTable('conformance', 'items');
  say('schema', {
    columns: Object.fromEntries(table.columns.map((c) => [c.name, typeName(c.type)])),
    partition_key: table.partitionKeys.map((c) => c.name),
    clustering: table.clusteringKeys.map((c) => c.name),
  });

  const prepare = { prepare: true };
  await client.execute(INSERT, [7, 7, 'seven'], prepare);
  const selected = await client.execute(SELECT, [7], prepare);
  say('prepared', {
    columns: selected.columns.map((c) => c.name + ' ' + typeName(c.type)),
  });

  let rows = 0, pages = 0, pageState;
  do {
    const page = await client.execute(SELECT, [1], { prepare: true, fetchSize: 100, pageState });
    pages++;
    for (const row of page.rows) {
      if (row.c !== rows || row.v !== 'row ' + rows) {
        throw new Error(`row ${rows} is ${JSON.stringify(row)}`);
      }
      rows++;
    }
    pageState = page.pageState;
  } while (pageState);
  say('paged', { rows, pages });

  await client.batch([{ query: INSERT, params: [8, 1, 'a'] }, { query: INSERT, params: [8, 2, 'b'] }], { prepare: true, logged: true });
  await client.batch([{ query: INSERT, params: [8, 3, 'c'] }], { prepare: true, logged: false });
  say('batched');

  const counted = await client.execute('SELECT count(*) FROM conformance.items');
  say('warned', { warnings: counted.info.warnings || [] });

  const read = async (n) => {
    const served = {};
    for (let i = 0; i < n; i++) {
      const result = await client.execute(SELECT, [100 + i], { prepare: true, isIdempotent: true });
      const host = id(client.hosts.get(result.info.queriedHost));
      served[host] = (served[host] || 0) + 1;
    }
    return served;
  };
  say('balanced', { served: await read(60) });
  say('waiting');
  const lines = readline.createInterface({ input: process.stdin });
  await new Promise((resolve) => lines.once('line', resolve));
  lines.close();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  say('degraded', { served: await read(60) });
  await client.shutdown();
}

main().catch((e) => {
  console.error(e);
  process.exit(1);
});
