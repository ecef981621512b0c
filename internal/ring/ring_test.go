package ring_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/internal/ring"
)

func TestTokenOf(t *testing.T) {
	t.Parallel()
	repeat := func(s string, n int) (all string) {
		for range n {
			all += s
		}
		return all
	}
	for _, test := range []struct {
		key  string
		want ring.Token
	}{
		{"", math.MinInt64},
		{"123", -7468325962851647638},
		{repeat("\x00\xff\x10\xfa\x99", 10), 5837342703291459765}, // signed bytes in the tail
		{repeat("\xfe", 8), -8927430733708461935},
		{repeat("\x10", 8), 1446172840243228796},
		{"9223372036854775807", 7162290910810015547},
	} {
		if got := ring.TokenOf([]byte(test.key)); got != test.want {
			t.Errorf("TokenOf(%q) = %d, want %d", test.key, got, test.want)
		}
	}
}

func TestParseToken(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]ring.Token{"0": 0, "-9223372036854775808": math.MinInt64, "9223372036854775807": math.MaxInt64} {
		if got, err := ring.ParseToken(s); err != nil || got != want {
			t.Errorf("ParseToken(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "9223372036854775808", "0x1", "1.5", " 1", "85070591730234615865843651857942052864"} {
		if got, err := ring.ParseToken(s); err == nil {
			t.Errorf("ParseToken(%q) = %d, want an error", s, got)
		}
	}
}

func TestIsMurmur3(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"org.apache.cassandra.dht.Murmur3Partitioner": true,
		"Murmur3Partitioner":                          true,
		"org.apache.cassandra.dht.RandomPartitioner":  false,
		"": false,
	} {
		if got := ring.IsMurmur3(name); got != want {
			t.Errorf("IsMurmur3(%q) = %t", name, got)
		}
	}
}

type node = ring.Node[string]

func at(dc, rack, host string, tokens ...ring.Token) node {
	return node{Host: host, Datacenter: dc, Rack: rack, Tokens: tokens}
}

func replication(t testing.TB, options ...string) ring.Replication {
	t.Helper()
	m := make(map[string]string)
	for i := 0; i < len(options); i += 2 {
		m[options[i]] = options[i+1]
	}
	r, err := ring.ParseReplication(m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestReplicas(t *testing.T) {
	t.Parallel()
	simple := func(factor string) []string {
		return []string{"class", "org.apache.cassandra.locator.SimpleStrategy", "replication_factor", factor}
	}
	network := func(factors ...string) []string {
		return append([]string{"class", "org.apache.cassandra.locator.NetworkTopologyStrategy"}, factors...)
	}
	oneRack := []node{at("d", "r", "a", 0, 30), at("d", "r", "b", 10, 40), at("d", "r", "c", 20, 50)}
	racks := []node{at("d", "r1", "a", 0), at("d", "r1", "b", 10), at("d", "r1", "c", 20), at("d", "r2", "x", 30)}
	two := []node{at("d", "r", "a", 0), at("e", "r", "x", 10), at("d", "r", "b", 20), at("e", "r", "y", 30)}
	for name, test := range map[string]struct {
		nodes       []node
		replication []string
		datacenter  string
		token       ring.Token
		want        []string
	}{
		"owner, on its token":             {oneRack, simple("1"), "", 10, []string{"b"}},
		"owner, within its range":         {oneRack, simple("1"), "", 11, []string{"c"}},
		"owner, below the first token":    {oneRack, simple("1"), "", math.MinInt64, []string{"a"}},
		"owner, beyond the last token":    {oneRack, simple("1"), "", 51, []string{"a"}},
		"simple walks on":                 {oneRack, simple("2"), "", 45, []string{"c", "a"}},
		"simple with too few nodes":       {oneRack, simple("5"), "", 5, []string{"b", "c", "a"}},
		"simple ignores datacenters":      {two, simple("3"), "", 5, []string{"x", "b", "y"}},
		"simple, one datacenter":          {two, simple("3"), "d", 5, []string{"b"}},
		"simple with a transient replica": {oneRack, simple("3/1"), "", 5, []string{"b", "c"}},
		"network, one rack":               {oneRack, network("d", "2"), "", 5, []string{"b", "c"}},
		"network, a rack each":            {racks, network("d", "2"), "", 5, []string{"b", "x"}},
		"network, a rack again":           {racks, network("d", "3"), "", 5, []string{"b", "c", "x"}},
		"network, transient replica last": {racks, network("d", "3/1"), "", 5, []string{"b", "c"}},
		"network, transient and too few":  {racks[:2], network("d", "3/1"), "", 5, []string{"b", "a"}},
		"network, all datacenters":        {two, network("d", "1", "e", "2"), "", 5, []string{"x", "b", "y"}},
		"network, local datacenter":       {two, network("d", "2", "e", "2"), "d", 5, []string{"b", "a"}},
		"network, datacenter not named":   {two, network("d", "2"), "e", 5, nil},
		"network, no such datacenter":     {two, network("f", "2"), "", 5, nil},
		"network, no replicas":            {two, network("d", "0"), "", 5, nil},
		"local":                           {two, []string{"class", "org.apache.cassandra.locator.LocalStrategy"}, "", 5, nil},
		"everywhere":                      {two, []string{"class", "org.apache.cassandra.locator.EverywhereStrategy"}, "", 5, nil},
		"unknown":                         {two, []string{"class", "com.example.Strategy", "x", "y"}, "", 5, nil},
		"no nodes":                        {nil, simple("1"), "", 5, nil},
		"no tokens":                       {[]node{at("d", "r", "a")}, network("d", "1"), "", 5, nil},
	} {
		p := ring.New(test.nodes).Place(replication(t, test.replication...), test.datacenter)
		got := p.Replicas(test.token)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: replicas %v, want %v", name, got, test.want)
		}
	}
	var none *ring.Placement[string]
	if got := none.Replicas(1); got != nil {
		t.Errorf("a nil Placement has replicas %v", got)
	}
	if got := ring.New(two).Place(ring.Replication{}, "").Replicas(1); got != nil {
		t.Errorf("the zero Replication has replicas %v", got)
	}
}

func TestParseReplicationErrors(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]map[string]string{
		"nil":                {},
		"no class":           {"replication_factor": "3"},
		"no factor":          {"class": "SimpleStrategy"},
		"no number":          {"class": "SimpleStrategy", "replication_factor": "x"},
		"negative":           {"class": "NetworkTopologyStrategy", "d": "-1"},
		"too large":          {"class": "NetworkTopologyStrategy", "d": "100000"},
		"nothing transient":  {"class": "NetworkTopologyStrategy", "d": "3/"},
		"all transient":      {"class": "NetworkTopologyStrategy", "d": "3/3"},
		"negative transient": {"class": "NetworkTopologyStrategy", "d": "3/-1"},
	} {
		if _, err := ring.ParseReplication(options); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// cluster is a random set of nodes.
func cluster(r *rand.Rand) []node {
	var nodes []node
	for i := range 1 + r.IntN(12) {
		n := at("dc"+strconv.Itoa(r.IntN(3)), "r"+strconv.Itoa(r.IntN(4)), "host"+strconv.Itoa(i))
		for range 1 + r.IntN(8) {
			n.Tokens = append(n.Tokens, ring.Token(r.Uint64()))
		}
		nodes = append(nodes, n)
	}
	return nodes
}

// walk lists the distinct nodes in the order in which the ring meets them from a token on.
func walk(nodes []node, from ring.Token) (met []node) {
	type position struct {
		token ring.Token
		node  node
	}
	var all []position
	for _, n := range nodes {
		for _, t := range n.Tokens {
			all = append(all, position{t, n})
		}
	}
	slices.SortFunc(all, func(a, b position) int {
		if (a.token >= from) != (b.token >= from) {
			if a.token >= from {
				return -1
			}
			return 1
		}
		if a.token < b.token {
			return -1
		}
		return 1
	})
	for _, p := range all {
		if !slices.ContainsFunc(met, func(n node) bool { return n.Host == p.node.Host }) {
			met = append(met, p.node)
		}
	}
	return met
}

// straightforward places the replicas of one datacenter as Cassandra 3 did: nodes of a rack that has a replica are put aside until
// every rack has one. It selects the same nodes as later versions.
func straightforward(nodes []node, dc string, factor int, from ring.Token) (hosts []string) {
	racks, seen := make(map[string]bool), make(map[string]bool)
	for _, n := range nodes {
		if n.Datacenter == dc {
			racks[n.Rack] = true
		}
	}
	var aside []string
	for _, n := range walk(nodes, from) {
		switch {
		case n.Datacenter != dc || len(hosts) >= factor:
		case !seen[n.Rack]:
			seen[n.Rack] = true
			hosts = append(hosts, n.Host)
			if len(seen) == len(racks) {
				more := min(len(aside), factor-len(hosts))
				hosts = append(hosts, aside[:more]...)
			}
		case len(seen) == len(racks):
			hosts = append(hosts, n.Host)
		default:
			aside = append(aside, n.Host)
		}
	}
	return hosts
}

func TestNetworkTopologyAgainstReference(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 2))
		nodes := cluster(r)
		factors := map[string]int{"dc0": r.IntN(5), "dc1": r.IntN(5), "dc2": r.IntN(5)}
		rep := replication(t, "class", "NetworkTopologyStrategy", "dc0", strconv.Itoa(factors["dc0"]), "dc1", strconv.Itoa(factors["dc1"]), "dc2", strconv.Itoa(factors["dc2"]))
		theRing := ring.New(nodes)
		all := theRing.Place(rep, "")
		for dc, factor := range factors {
			local := theRing.Place(rep, dc)
			for range 50 {
				token := ring.Token(r.Uint64())
				if r.IntN(4) == 0 {
					token = nodes[0].Tokens[0]
				}
				want := straightforward(nodes, dc, factor, token)
				got := local.Replicas(token)
				if len(want) > 0 && got[0] != want[0] {
					t.Fatalf("seed %d: first replica %s, want %s", seed, got[0], want[0])
				}
				if diff := cmp.Diff(sorted(want), sorted(got)); diff != "" {
					t.Fatalf("seed %d: replicas of %d in %s with factor %d (-want +got):\n%s", seed, token, dc, factor, diff)
				}
				for _, host := range got {
					if !slices.Contains(all.Replicas(token), host) {
						t.Fatalf("seed %d: %s is a replica in its datacenter only", seed, host)
					}
				}
			}
		}
	}
}

func TestSimpleAgainstReference(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		nodes := cluster(r)
		factor := 1 + r.IntN(5)
		p := ring.New(nodes).Place(replication(t, "class", "SimpleStrategy", "replication_factor", strconv.Itoa(factor)), "")
		for range 50 {
			token := ring.Token(r.Uint64())
			var want []string
			for _, n := range walk(nodes, token)[:min(factor, len(nodes))] {
				want = append(want, n.Host)
			}
			if got := p.Replicas(token); !slices.Equal(got, want) {
				t.Fatalf("seed %d: replicas of %d: %v, want %v", seed, token, got, want)
			}
		}
	}
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

func TestLookupDoesNotAllocate(t *testing.T) {
	p := ring.New(cluster(rand.New(rand.NewPCG(1, 1)))).Place(replication(t, "class", "NetworkTopologyStrategy", "dc0", "3", "dc1", "3", "dc2", "3"), "dc1")
	key := []byte("a partition key of some length")
	if n := testing.AllocsPerRun(100, func() { p.Replicas(ring.TokenOf(key)) }); n != 0 {
		t.Errorf("%v allocations a lookup, want none", n)
	}
}

func FuzzParseToken(f *testing.F) {
	for _, s := range []string{"0", "-9223372036854775808", "", "+1", "1_0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		token, err := ring.ParseToken(s)
		if err != nil {
			return
		}
		if again, err := ring.ParseToken(strconv.FormatInt(int64(token), 10)); err != nil || again != token {
			t.Errorf("%q: %d became %d, %v", s, token, again, err)
		}
	})
}

func FuzzParseReplication(f *testing.F) {
	f.Add("org.apache.cassandra.locator.NetworkTopologyStrategy", "dc0", "3/1")
	f.Add("SimpleStrategy", "replication_factor", "3")
	f.Add("", "", "")
	nodes := cluster(rand.New(rand.NewPCG(7, 7)))
	theRing := ring.New(nodes)
	f.Fuzz(func(t *testing.T, class, key, value string) {
		rep, err := ring.ParseReplication(map[string]string{"class": class, key: value})
		if err != nil {
			return
		}
		replicas := theRing.Place(rep, "").Replicas(1)
		if len(replicas) > len(nodes) || len(slices.Compact(sorted(replicas))) != len(replicas) {
			t.Errorf("replicas %v of %d nodes", replicas, len(nodes))
		}
	})
}

func BenchmarkTokenOf(b *testing.B) {
	for _, size := range []int{8, 16, 64} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			key := make([]byte, size)
			b.ReportAllocs()
			for b.Loop() {
				ring.TokenOf(key)
			}
		})
	}
}

func bigRing() []node {
	r := rand.New(rand.NewPCG(1, 2))
	var nodes []node
	for i := range 300 {
		n := at("dc", "r"+strconv.Itoa(i%3), "host"+strconv.Itoa(i))
		for range 16 {
			n.Tokens = append(n.Tokens, ring.Token(r.Uint64()))
		}
		nodes = append(nodes, n)
	}
	return nodes
}

func BenchmarkPlace300Nodes(b *testing.B) {
	nodes, rep := bigRing(), replication(b, "class", "NetworkTopologyStrategy", "dc", "3")
	b.ReportAllocs()
	for b.Loop() {
		ring.New(nodes).Place(rep, "dc")
	}
}

func BenchmarkReplicas300Nodes(b *testing.B) {
	p := ring.New(bigRing()).Place(replication(b, "class", "NetworkTopologyStrategy", "dc", "3"), "dc")
	b.ReportAllocs()
	var t ring.Token
	for b.Loop() {
		t += 0x1234567890abcdef
		p.Replicas(t)
	}
}

func Example() {
	theRing := ring.New([]ring.Node[string]{
		{Host: "a", Datacenter: "us-east1", Rack: "rack1", Tokens: []ring.Token{-6148914691236517206}},
		{Host: "b", Datacenter: "us-east1", Rack: "rack2", Tokens: []ring.Token{0}},
		{Host: "c", Datacenter: "us-east1", Rack: "rack3", Tokens: []ring.Token{6148914691236517206}},
	})
	replication, err := ring.ParseReplication(map[string]string{
		"class":    "org.apache.cassandra.locator.NetworkTopologyStrategy",
		"us-east1": "2",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	placement := theRing.Place(replication, "us-east1")
	fmt.Println(placement.Replicas(ring.TokenOf([]byte("some key"))))
	// Output: [b c]
}

func TestFewest(t *testing.T) {
	t.Parallel()
	r := ring.New([]ring.Node[int]{{0, "a", "r", []ring.Token{1}}, {1, "a", "r", []ring.Token{2}}, {2, "b", "r", []ring.Token{3}}})
	for _, test := range []struct {
		options map[string]string
		want    int
	}{
		{map[string]string{"class": "NetworkTopologyStrategy", "a": "3", "b": "3"}, 3},
		{map[string]string{"class": "NetworkTopologyStrategy", "a": "1", "b": "1"}, 2},
		{map[string]string{"class": "LocalStrategy"}, 0},
	} {
		replication, err := ring.ParseReplication(test.options)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Place(replication, "").Fewest(); got != test.want {
			t.Errorf("%v: Fewest() = %d, want %d", test.options, got, test.want)
		}
	}
}
