package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/seed-5f06b232/astra-go/token"
)

// names keeps out of the report what others need not know. Where they may not stand, names get others that mean the same each time.
type names struct {
	real    bool // show names as they are
	secrets []string
	others  map[string]string // by the name in lower case
	counts  map[string]int    // by kind
}

func newNames(t token.Token, real bool) *names {
	n := &names{real: real, others: make(map[string]string), counts: make(map[string]int)}
	for _, secret := range []string{t.Bearer(), t.Secret(), t.ClientID()} {
		if secret != "" {
			n.secrets = append(n.secrets, secret)
		}
	}
	return n
}

func (n *names) node(hostID string) string     { return n.name("node", hostID) }
func (n *names) datacenter(name string) string { return n.name("dc", name) }
func (n *names) host(name string) string       { return n.name("host", name) }

func (n *names) name(kind, name string) string {
	key := strings.ToLower(name)
	if n.real || name == "" {
		return name
	}
	other, ok := n.others[key]
	if !ok {
		n.counts[kind]++
		other = fmt.Sprintf("%s-%d", kind, n.counts[kind])
		n.others[key] = other
	}
	return other
}

var (
	links     = regexp.MustCompile(`[a-z]+://[^\s"]+`)
	ids       = regexp.MustCompile(`(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	addresses = regexp.MustCompile(`\[?[0-9a-fA-F]*[.:][0-9a-fA-F.:]+(%\w+)?\]?(:\d+)?`)
)

// words returns text from outside, such as an error, without what it should not show.
func (n *names) words(text string) string {
	const most = 300
	for _, secret := range n.secrets {
		text = strings.ReplaceAll(text, secret, "<token>")
	}
	text = links.ReplaceAllString(text, "<link>")
	known := make([]string, 0, len(n.others))
	for name := range n.others {
		known = append(known, name)
	}
	slices.SortFunc(known, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	for _, name := range known {
		text = regexp.MustCompile(`(?i)`+regexp.QuoteMeta(name)).ReplaceAllLiteralString(text, n.others[name])
	}
	if !n.real {
		text = ids.ReplaceAllString(text, "<id>")
	}
	text = addresses.ReplaceAllStringFunc(text, func(s string) string {
		for _, address := range []string{s, strings.TrimRight(s, ":.")} {
			_, err := netip.ParseAddr(strings.Trim(address, "[]"))
			_, portErr := netip.ParseAddrPort(address)
			if err == nil || portErr == nil {
				return "<address>" + s[len(address):]
			}
		}
		return s
	})
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// Names of classes, versions and options, which say nothing about a database.
var plain = regexp.MustCompile(`^[A-Za-z0-9_./+-]{1,100}$`)

// plain returns text that must be such a name.
func (n *names) plain(text string) string {
	if plain.MatchString(text) {
		return text
	}
	return fmt.Sprintf("something else, of %d bytes", len(text))
}
