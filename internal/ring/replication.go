package ring

import (
	"fmt"
	"strconv"
	"strings"
)

// Replication says on which nodes a keyspace keeps its rows. The zero value stands for a strategy without replicas to prefer: all nodes
// have all rows, or this package does not know which node has which.
type Replication struct {
	simple      factor            // of SimpleStrategy
	datacenters map[string]factor // of NetworkTopologyStrategy
}

// factor is a number of replicas. Transient ones keep only what is not repaired yet, so they are no place to read from.
type factor struct{ total, transient int }

const maxFactor = 1 << 15

// ParseReplication reads the column replication of system_schema.keyspaces. A strategy that it does not know is no error.
func ParseReplication(options map[string]string) (Replication, error) {
	class := options["class"]
	switch class[strings.LastIndexByte(class, '.')+1:] {
	case "":
		return Replication{}, fmt.Errorf("the replication of the keyspace names no class")
	case "SimpleStrategy":
		f, err := parseFactor(options["replication_factor"])
		if err != nil {
			return Replication{}, fmt.Errorf("replication_factor of SimpleStrategy: %w", err)
		}
		return Replication{simple: f}, nil
	case "NetworkTopologyStrategy":
		r := Replication{datacenters: make(map[string]factor, len(options))}
		for datacenter, value := range options {
			if datacenter == "class" {
				continue
			}
			f, err := parseFactor(value)
			if err != nil {
				return Replication{}, fmt.Errorf("replicas of datacenter %.80q: %w", datacenter, err)
			}
			r.datacenters[datacenter] = f
		}
		return r, nil
	default:
		return Replication{}, nil
	}
}

// parseFactor reads "3", or "3/1" where one of three replicas is transient.
func parseFactor(s string) (factor, error) {
	all, transient, isTransient := strings.Cut(s, "/")
	var f factor
	var err error
	if f.total, err = strconv.Atoi(all); err == nil && isTransient {
		f.transient, err = strconv.Atoi(transient)
	}
	if err != nil || f.total < 0 || f.total > maxFactor || f.transient < 0 || f.transient > 0 && f.transient >= f.total {
		return factor{}, fmt.Errorf("%.40q is no number of replicas", s)
	}
	return f, nil
}
