package main

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/seed-5f06b232/astra-go/internal/cql"
)

// lookAtSystemTables reads what nodes tell of themselves and of each other.
func (r *recorder) lookAtSystemTables(ctx context.Context) error {
	wrong := 0
	var local row
	var first *node
	for _, id := range slices.Concat(r.nodes, backwards(r.nodes)) { // so that a proxy which goes by turns is found out
		n, err := r.enter(ctx, id)
		if err != nil {
			return err
		}
		defer n.Close()
		rows, err := n.query(ctx, "SELECT * FROM system.local")
		if err != nil {
			return err
		}
		if len(rows) != 1 {
			r.note("host-id-of-system-local", false, "system.local has %d rows", len(rows))
			return nil
		}
		if told, _ := rows[0]["host_id"].(string); told != id {
			wrong++
		}
		if first == nil {
			first, local = n, rows[0]
		}
	}
	r.note("server-name-is-host-id", wrong == 0, "%d of %d connections lead to a node with another host ID in system.local", wrong, 2*len(r.nodes))

	peers, err := first.query(ctx, "SELECT * FROM system.peers")
	if err != nil {
		return err
	}
	_, err = first.query(ctx, "SELECT * FROM system.peers_v2")
	switch code := codeOf(err); {
	case err == nil:
		r.note("peers-v2-missing", false, "it is there")
	case code < 0:
		return err
	default:
		r.note("peers-v2-missing", code == cql.CodeInvalid, "%s", r.names.words(err.Error()))
	}
	r.lookAtLocal(local)
	r.lookAtPeers(ctx, local, peers)
	err = first.register(ctx)
	if err != nil {
		r.note("events", false, "%s", r.names.words(err.Error()))
	} else {
		r.note("events", true, "accepted")
	}
	return nil
}

func (r *recorder) lookAtLocal(local row) {
	release, partitioner, cluster := local.text("release_version"), local.text("partitioner"), local.text("cluster_name")
	r.note("release-4.0", strings.HasPrefix(release, "4.0"), "%s", r.names.plain(release))
	r.note("murmur3", strings.HasSuffix(partitioner, ".Murmur3Partitioner"), "%s", r.names.plain(partitioner))
	r.note("cluster-name", cluster == "cndb", "%s", choose(cluster == "cndb", "cndb", "another"))
	datacenter, told := local.text("data_center"), r.metadata.ContactInfo.LocalDC
	if datacenter == told {
		r.note("local-dc-of-nodes", true, "both are %s", r.names.datacenter(told))
	} else {
		r.note("local-dc-of-nodes", false, "local_dc is %s, data_center %s", r.names.datacenter(told), r.names.datacenter(datacenter))
	}
}

func (r *recorder) lookAtPeers(ctx context.Context, local row, peers []row) {
	hostIDs := []string{local.text("host_id")}
	var remote, addresses, versions []string
	incomplete, withoutTokens, public := 0, 0, 0
	for i, n := range append([]row{local}, peers...) {
		if !n.has("rpc_address", "data_center", "rack", "host_id") {
			incomplete++
		}
		if !n.has("tokens") {
			withoutTokens++
		}
		if n.has("schema_version") {
			versions = append(versions, n.text("schema_version"))
		}
		if address, ok := n["rpc_address"].(netip.Addr); ok {
			addresses = append(addresses, address.String())
			if !isPrivate(address) {
				public++
			}
		}
		switch id := n.text("host_id"); {
		case i == 0 || id == "":
		case n.text("data_center") != local.text("data_center"):
			remote = append(remote, id)
		default:
			hostIDs = append(hostIDs, id)
		}
	}
	count := 1 + len(peers)
	r.note("peers-tell-all", incomplete == 0 && len(hostIDs) >= len(r.nodes), "%d peers for %d nodes, %d rows without an address, datacenter, rack or host ID", len(peers), len(r.nodes), incomplete)
	r.note("tokens", withoutTokens == 0, "%d of %d nodes tell none", withoutTokens, count)
	r.note("rpc-address-unique", distinct(addresses) == count, "%d addresses of %d nodes", distinct(addresses), count)
	r.note("rpc-address-private", public == 0 && len(addresses) > 0, "%d of %d are public", public, len(addresses))
	r.note("schema-agreement", distinct(versions) == 1, "%d versions", distinct(versions))

	points := make([]string, 0, len(r.metadata.ContactInfo.ContactPoints))
	for _, id := range r.metadata.ContactInfo.ContactPoints {
		points = append(points, strings.ToLower(id))
	}
	lacks, more := compare(points, hostIDs) // nodes that are no contact points, and the reverse
	if len(lacks) == len(hostIDs) {
		r.unseen("contact-points-complete", "system tables have other host IDs")
	} else {
		r.note("contact-points-complete", len(lacks) == 0, "%d of %d local nodes are not named", len(lacks), len(hostIDs))
	}
	inRemote := 0
	for _, id := range more {
		if slices.Contains(remote, id) {
			inRemote++
		}
	}
	r.note("contact-points-local", inRemote == 0, "%d are in other datacenters", inRemote)
	r.note("host-id-of-system-local", len(more) == inRemote, "%d of %d contact points are not in the system tables", len(more)-inRemote, len(points))

	if len(remote) == 0 {
		r.unseen("remote-not-routable", "there is no node in another datacenter")
		return
	}
	how, refused := r.refusalOf(ctx, remote[0])
	r.note("remote-not-routable", refused, "%s", how)
}

func (n row) text(column string) string {
	text, _ := n[column].(string)
	return text
}

// has reports whether none of the columns is null.
func (n row) has(columns ...string) bool {
	return !slices.ContainsFunc(columns, func(c string) bool { return n[c] == nil })
}

func backwards(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Reverse(ids)
	return ids
}

func distinct(texts []string) int {
	return len(slices.Compact(slices.Sorted(slices.Values(texts))))
}
