//go:build integration

package conformance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A client goes through one story with a database: it connects, reads the schema, prepares, pages, sends batches, reads, loses a node and reads on. It
// says after each step what it saw.
const (
	insert    = "INSERT INTO conformance.items (id, c, v) VALUES (?, ?, ?)"
	selectAll = "SELECT id, c, v FROM conformance.items WHERE id = ?"
	count     = "SELECT count(*) FROM conformance.items"
	warning   = "Aggregation query used without partition key"
	schema    = "CREATE TABLE conformance.items (id int, c int, v text, tags set<text>, PRIMARY KEY (id, c))"

	pagedID  = 1 // whose rows have c from 0 up and v "row c"
	pageRows = 1000
	pageSize = 100
	reads    = 60 // of IDs from 100 up, which have no rows
)

// step is what a client says, in the order of the story.
type step struct {
	Step string

	Error string // refused

	Protocol int         // connected
	Nodes    []nodeSight // connected

	Columns      any      // schema: name to type; prepared: "name type" of the result
	PartitionKey []string `json:"partition_key"`
	Clustering   []string

	Variables []string // prepared; absent where a driver does not tell
	Key       []int

	Rows, Pages int // paged

	Warnings []string // warned

	Served map[string]int // balanced, degraded: by host ID
}

type nodeSight struct {
	HostID     string `json:"host_id"`
	Datacenter string
	Rack       string
	Version    string
	Tokens     int
}

// steps of the story, as the columns of the table call them.
var steps = []struct{ step, title string }{
	{"connected", "connect, see all nodes"},
	{"schema", "read the schema"},
	{"prepared", "prepare"},
	{"paged", "page"},
	{"batched", "batches"},
	{"warned", "warnings"},
	{"balanced", "use all nodes"},
	{"degraded", "lose a node"},
	{"refused", "wrong token"},
}

// check compares what a client saw with what there is.
func (s step) check(t *testing.T, d *database) {
	t.Helper()
	same := func(what string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", what, diff)
		}
	}
	switch s.Step {
	case "connected":
		var ids []string
		for _, n := range s.Nodes {
			ids = append(ids, n.HostID)
			if n.Datacenter != datacenter || n.Rack == "" || n.Version != d.version || n.Tokens == 0 {
				t.Errorf("node %+v, want datacenter %s, a rack, version %s and tokens", n, datacenter, d.version)
			}
		}
		slices.Sort(ids)
		same("host IDs", d.hostIDs, ids)
		if s.Protocol != 4 && s.Protocol != d.protocol {
			t.Errorf("protocol version %d, want %d", s.Protocol, d.protocol)
		}
	case "schema":
		same("columns", any(map[string]any{"id": "int", "c": "int", "v": "text", "tags": "set<text>"}), s.Columns)
		same("partition key", []string{"id"}, s.PartitionKey)
		same("clustering columns", []string{"c"}, s.Clustering)
	case "prepared":
		same("columns of the result", any([]any{"id int", "c int", "v text"}), s.Columns)
		if s.Variables != nil {
			same("variables", []string{"id int", "c int", "v text"}, s.Variables)
			same("variables of the partition key", []int{0}, s.Key)
		}
	case "paged":
		// A driver may ask for a further page to learn that there is none. 0: it does not tell.
		if s.Rows != pageRows || s.Pages != 0 && (s.Pages < pageRows/pageSize || s.Pages > pageRows/pageSize+1) {
			t.Errorf("%d rows on %d pages, want %d on %d", s.Rows, s.Pages, pageRows, pageRows/pageSize)
		}
	case "warned":
		same("warnings", []string{warning}, s.Warnings)
	case "balanced":
		same("nodes that served", d.hostIDs, slices.Sorted(maps.Keys(s.Served)))
	case "degraded":
		total := 0
		for id, n := range s.Served {
			total += n
			if id == d.victim || !slices.Contains(d.hostIDs, id) {
				t.Errorf("node %s served %d reads", id, n)
			}
		}
		if total != reads {
			t.Errorf("%d reads succeeded, want %d", total, reads)
		}
	case "refused":
		if !strings.Contains(strings.ToLower(s.Error), "incorrect") && !strings.Contains(strings.ToLower(s.Error), "authentication") {
			t.Errorf("error %q, want one about credentials", s.Error)
		}
	}
}

// row is what a row of pagedID has.
func row(c int) string { return fmt.Sprint("row ", c) }
