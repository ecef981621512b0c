package cql

import "strings"

// Reserved reports whether a word can be a name in quotes only. It has to be in lower case.
func Reserved(word string) bool { return reserved[word] }

// reserved are the words that Apache Cassandra 5.0 reserves, by reserved_keywords.txt in its archive.
var reserved = func() map[string]bool {
	words := make(map[string]bool)
	for word := range strings.FieldsSeq(`
		add allow alter and apply asc authorize batch begin by columnfamily create delete desc describe drop entries execute from full grant if in
		index infinity insert into is keyspace limit materialized modify nan norecursive not null of on or order primary rename revoke schema
		select set table to token truncate unlogged update use using view where with`) {
		words[word] = true
	}
	return words
}()
