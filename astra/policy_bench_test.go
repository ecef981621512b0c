package astra

import (
	"context"
	"encoding/binary"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// keyed is a statement with a partition key.
type keyed struct {
	statement
	key []byte
}

func (s *keyed) GetRoutingKey() ([]byte, error) { return s.key, nil }
func (s *keyed) Keyspace() string               { return "ks" }

func BenchmarkPick(b *testing.B) {
	ours := newTestPolicy(0)
	known(b, ours, 6, 3)
	hosts := ours.topology.Load().hosts
	theirs := gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
	theirs.SetPartitioner("org.apache.cassandra.dht.Murmur3Partitioner")
	for _, h := range hosts {
		theirs.AddHost(h)
	}
	for name, policy := range map[string]gocql.HostSelectionPolicy{"ours": ours, "gocql": theirs} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(64) // times 2 processors
			b.RunParallel(func(pb *testing.PB) {
				s := &keyed{statement: statement{ctx: context.Background()}, key: make([]byte, 8)}
				for n := uint64(0); pb.Next(); n++ {
					binary.LittleEndian.PutUint64(s.key, n)
					h := policy.Pick(s)()
					h.Info()
					h.Mark(nil)
				}
			})
		})
	}
}
