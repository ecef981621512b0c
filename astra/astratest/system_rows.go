package astratest

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

const (
	cqlVersion     = "3.4.5"
	releaseVersion = "4.0.11"
	partitioner    = "org.apache.cassandra.dht.Murmur3Partitioner"
	nativePort     = 9042 // that nodes report; nothing listens there
	storagePort    = 7000
)

//go:embed system.cql
var systemCQL string

// systemRows returns the rows of a table of a system keyspace as node n tells
// them. Tables that are not told of here are empty.
func (n *Node) systemRows(t *table) []systemRow {
	switch t.keyspace + "." + t.name {
	case "system.local":
		return []systemRow{n.cluster.quirks.Load().change(n.localRow())}
	case "system.peers":
		return n.peerRows(peerRow)
	case "system.peers_v2":
		return n.peerRows(peerRowV2)
	case "system_traces.sessions":
		return n.cluster.traces.sessions()
	case "system_traces.events":
		return n.cluster.traces.events()
	}
	s := n.cluster.schema.Load()
	if of, ok := schemaRows[t.keyspace+"."+t.name]; ok {
		virtual := t.keyspace == "system_virtual_schema"
		var rows []systemRow
		for _, ks := range sorted(s.keyspaces) {
			if ks.virtual == virtual {
				rows = append(rows, of(n.cluster, ks)...)
			}
		}
		return rows
	}
	return nil
}

func (n *Node) localRow() systemRow {
	c := n.cluster
	c.mu.RLock()
	defer c.mu.RUnlock()
	return systemRow{
		"key":                     "local",
		"bootstrapped":            "COMPLETED",
		"broadcast_address":       n.addr,
		"broadcast_port":          storagePort,
		"cluster_name":            "cndb",
		"cql_version":             cqlVersion,
		"data_center":             n.datacenter,
		"gossip_generation":       n.started.Unix(),
		"host_id":                 n.hostID,
		"listen_address":          n.addr,
		"listen_port":             storagePort,
		"native_protocol_version": strconv.Itoa(cql.Version),
		"partitioner":             partitioner,
		"rack":                    n.rack,
		"release_version":         releaseVersion,
		"rpc_address":             c.rpcAddr(n),
		"rpc_port":                nativePort,
		"schema_version":          c.schemaVersion(n),
		"tokens":                  n.tokenTexts(),
	}
}

// peerRows tells of all nodes but n, also of those that are down.
func (n *Node) peerRows(row func(*Node) systemRow) []systemRow {
	n.cluster.mu.RLock()
	defer n.cluster.mu.RUnlock()
	quirks := n.cluster.quirks.Load()
	var rows []systemRow
	for _, peer := range n.cluster.nodes {
		if peer != n && !quirks.NoPeers {
			rows = append(rows, quirks.change(row(peer)))
		}
	}
	return rows
}

func peerRow(n *Node) systemRow {
	return systemRow{
		"peer":            n.addr,
		"data_center":     n.datacenter,
		"host_id":         n.hostID,
		"rack":            n.rack,
		"release_version": releaseVersion,
		"rpc_address":     n.cluster.rpcAddr(n),
		"schema_version":  n.cluster.schemaVersion(n),
		"tokens":          n.tokenTexts(),
	}
}

func peerRowV2(n *Node) systemRow {
	row := peerRow(n)
	row["native_address"] = row["rpc_address"]
	row["native_port"] = nativePort
	row["peer_port"] = storagePort
	return row
}

// tokenTexts returns the tokens as a set<text> has them, sorted as text.
func (n *Node) tokenTexts() []string {
	texts := make([]string, len(n.tokens))
	for i, token := range n.tokens {
		texts[i] = strconv.FormatInt(token, 10)
	}
	slices.Sort(texts)
	return texts
}

// schemaRows tell of one keyspace each.
var schemaRows = map[string]func(*cluster, *keyspace) []systemRow{
	"system_schema.keyspaces": func(c *cluster, ks *keyspace) []systemRow {
		return []systemRow{{"keyspace_name": ks.name, "durable_writes": ks.durable, "replication": c.replication(ks)}}
	},
	"system_schema.tables":  tableRows,
	"system_schema.columns": columnRows,
	"system_schema.types":   typeRows,
	"system_schema.indexes": indexRows,
	"system_virtual_schema.keyspaces": func(_ *cluster, ks *keyspace) []systemRow {
		return []systemRow{{"keyspace_name": ks.name}}
	},
	"system_virtual_schema.tables":  tableRows,
	"system_virtual_schema.columns": columnRows,
}

func tableRows(_ *cluster, ks *keyspace) []systemRow {
	var rows []systemRow
	for _, t := range sorted(ks.tables) {
		row := t.options()
		row["keyspace_name"] = ks.name
		row["table_name"] = t.name
		row["id"] = t.id
		row["flags"] = t.flags()
		row["dclocal_read_repair_chance"] = 0.0
		row["read_repair_chance"] = 0.0
		rows = append(rows, row)
	}
	return rows
}

func (t *table) flags() []string {
	if slices.ContainsFunc(t.columns, func(c column) bool { return c.typ.Kind == cql.Counter }) {
		return []string{"compound", "counter"}
	}
	return []string{"compound"}
}

// options returns the options of a table: those that Cassandra 4.0 sets where
// a CREATE TABLE says nothing of them, and the few that it may say.
func (t *table) options() systemRow {
	return systemRow{
		"additional_write_policy": "99p",
		"bloom_filter_fp_chance":  0.01,
		"caching":                 map[string]string{"keys": "ALL", "rows_per_partition": "NONE"},
		"comment":                 t.comment,
		"compaction": map[string]string{
			"class": "org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy", "max_threshold": "32", "min_threshold": "4",
		},
		"compression":                 map[string]string{"chunk_length_in_kb": "16", "class": "org.apache.cassandra.io.compress.LZ4Compressor"},
		"crc_check_chance":            1.0,
		"default_time_to_live":        t.timeToLive,
		"extensions":                  map[string][]byte{},
		"gc_grace_seconds":            t.gcGrace,
		"max_index_interval":          2048,
		"memtable_flush_period_in_ms": 0,
		"min_index_interval":          128,
		"read_repair":                 "BLOCKING",
		"speculative_retry":           "99p",
	}
}

func columnRows(_ *cluster, ks *keyspace) []systemRow {
	var rows []systemRow
	for _, t := range sorted(ks.tables) {
		byName := make(map[string]column)
		for _, c := range t.columns {
			byName[c.name] = c
		}
		for _, c := range sorted(byName) {
			order := "none"
			if c.kind == clustering {
				order = "asc"
				if c.descending {
					order = "desc"
				}
			}
			rows = append(rows, systemRow{
				"keyspace_name":     ks.name,
				"table_name":        t.name,
				"column_name":       c.name,
				"clustering_order":  order,
				"column_name_bytes": []byte(c.name),
				"kind":              c.kind.String(),
				"position":          c.position,
				"type":              c.typ.String(),
			})
		}
	}
	return rows
}

func typeRows(_ *cluster, ks *keyspace) []systemRow {
	var rows []systemRow
	for _, t := range sorted(ks.types) {
		types := make([]string, len(t.Elements))
		for i, e := range t.Elements {
			types[i] = e.String()
		}
		rows = append(rows, systemRow{
			"keyspace_name": ks.name,
			"type_name":     t.Name,
			"field_names":   t.Fields,
			"field_types":   types,
		})
	}
	return rows
}

func indexRows(_ *cluster, ks *keyspace) []systemRow {
	var rows []systemRow
	for _, t := range sorted(ks.tables) {
		for _, ix := range t.indexes {
			rows = append(rows, systemRow{
				"keyspace_name": ks.name,
				"table_name":    t.name,
				"index_name":    ix.name,
				"kind":          ix.kind,
				"options":       ix.options,
			})
		}
	}
	return rows
}

// replication returns how a keyspace is replicated: unless it says so itself,
// with up to three replicas in each datacenter.
func (c *cluster) replication(ks *keyspace) map[string]string {
	if ks.replication != nil {
		return ks.replication
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	nodes := make(map[string]int)
	for _, n := range c.nodes {
		nodes[n.datacenter]++
	}
	replication := map[string]string{"class": "org.apache.cassandra.locator.NetworkTopologyStrategy"}
	for _, dc := range slices.Sorted(maps.Keys(nodes)) {
		replication[dc] = fmt.Sprint(min(nodes[dc], 3))
	}
	return replication
}
