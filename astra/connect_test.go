package astra

import (
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// A session that does not open for another reason is not said to have found no local node, only because its cluster has remote ones.
func TestTheFilterIsBlamedForTheFirstHostOnly(t *testing.T) {
	t.Parallel()
	hosts := newHosts(t, 2)
	for name, test := range map[string]struct {
		accepted []bool
		blamed   bool
	}{
		"the first is refused":          {[]bool{false}, true},
		"a peer is refused":             {[]bool{true, false}, false},
		"another is accepted afterward": {[]bool{false, true}, false},
		"none is asked for":             {nil, false},
	} {
		o := &opening{}
		for i, accepted := range test.accepted {
			filter := openingFilter{gocql.HostFilterFunc(func(*gocql.HostInfo) bool { return accepted }), nil, o}
			if filter.Accept(hosts[i]) != accepted {
				t.Errorf("%s: the filter is changed", name)
			}
		}
		if blamed := o.cause() != nil; blamed != test.blamed {
			t.Errorf("%s: the cause is %v", name, o.cause())
		}
	}
}
