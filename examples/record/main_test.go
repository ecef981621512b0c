package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

// newServer returns an Astra of which all claims hold.
func newServer(t *testing.T, more ...astratest.Option) *astratest.Server {
	s := astratest.NewServer(append([]astratest.Option{astratest.Host("0aa1-secret-name.db.example"), astratest.ProxyAddrs(2), astratest.Keyspace("secret_shop")}, more...)...)
	t.Cleanup(s.Close)
	s.AddDatacenter("eu-secret1", 2)
	return s
}

// observe makes a report, and checks that it shows no name and no secret.
func observe(t *testing.T, s *astratest.Server, o options) *report {
	t.Helper()
	config := astra.Config{Bundle: s.Bundle(), Token: s.Token(), Resolver: s.Resolver()}
	r, err := record(t.Context(), config, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{r.markdown(), r.json()} {
		hideAndSeek(t, s, string(text), o.named)
	}
	return r
}

func hideAndSeek(t *testing.T, s *astratest.Server, text string, named bool) {
	t.Helper()
	hidden := []string{s.Token().Bearer(), s.Token().Secret(), s.Token().ClientID(), s.Token().Bearer()[33:], "BEGIN ", "secret_shop", "127.0", "://", s.DatabaseID}
	if !named {
		hidden = append(hidden, "0aa1-secret-name", "db.example", "eu-secret1", "us-east1")
		for _, n := range s.Nodes() {
			hidden = append(hidden, n.HostID(), n.HostID()[:8])
		}
	}
	for _, secret := range hidden {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
			t.Errorf("the report shows %q:\n%s", secret, text)
		}
	}
}

func (r *report) byOutcome(o outcome) (claims []string) {
	for _, f := range r.Findings {
		if f.Outcome == o {
			claims = append(claims, f.Claim)
		}
	}
	return claims
}

func TestAllClaimsHold(t *testing.T) {
	t.Parallel()
	r := observe(t, newServer(t), options{patience: 20 * time.Second})
	want := []string{"idle-cut"}
	for _, c := range claims {
		if c.unseen != "" {
			want = append(want, c.name)
		}
	}
	slices.Sort(want)
	got := r.byOutcome(couldNotBe)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("could not be seen: %q, want %q", got, want)
	}
	if not := r.byOutcome(holdsNot); len(not) > 0 {
		t.Errorf("do not hold: %q\n%s", not, r.markdown())
	}
}

func TestOpposites(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		options []astratest.Option
		quirks  astratest.Quirks
		prepare func(*astratest.Server)
		claims  []string // that do not hold
	}{
		"TLS 1.2":           {quirks: astratest.Quirks{TLS12: true}, claims: []string{"tls-1.3"}},
		"no tickets":        {quirks: astratest.Quirks{NoSessionTickets: true}, claims: []string{"session-tickets"}},
		"no certificates":   {quirks: astratest.Quirks{NoClientCertificates: true}, claims: []string{"client-certificate"}},
		"root sent":         {quirks: astratest.Quirks{SendRoot: true}, claims: []string{"root-not-sent"}},
		"wildcard":          {quirks: astratest.Quirks{CertificateNames: []string{"*.db.example"}}},
		"other certificate": {quirks: astratest.Quirks{CertificateNames: []string{"other.example"}}, claims: []string{"certificate-san"}},
		"common name":       {quirks: astratest.Quirks{CommonNameOnly: true}, claims: []string{"certificate-san"}},
		"server name":       {quirks: astratest.Quirks{IgnoreServerName: true}, claims: []string{"server-name-is-host-id"}},
		"alert":             {},
		"close":             {prepare: func(s *astratest.Server) { s.RefuseUnknown(astratest.RefuseClose) }},
		"version 4":         {quirks: astratest.Quirks{NoVersion4: true}, claims: []string{"contact-points-are-host-ids", "protocol-v4"}},
		"product type":      {quirks: astratest.Quirks{NoProductType: true}, claims: []string{"product-type"}},
		"nobody asks":       {quirks: astratest.Quirks{NoAuthentication: true}, claims: []string{"authenticator"}},
		"challenge":         {quirks: astratest.Quirks{Challenge: true}, claims: []string{"plain-token"}},
		"class":             {quirks: astratest.Quirks{Authenticator: "com.example.Authenticator"}, claims: []string{"authenticator"}},
		"refusal": {
			quirks: astratest.Quirks{TokenRefusal: &astratest.Error{Code: 0x2100, Message: "no such token at 127.0.0.1, see https://x.example/?secret"}},
			claims: []string{"refusal-code"},
		},
		"peers_v2":      {options: []astratest.Option{astratest.PeersV2()}, claims: []string{"peers-v2-missing"}},
		"one address":   {options: []astratest.Option{astratest.SharedAddress()}, claims: []string{"rpc-address-unique"}},
		"no peers":      {quirks: astratest.Quirks{NoPeers: true}, claims: []string{"host-id-of-system-local", "peers-tell-all", "reads"}},
		"no tokens":     {quirks: astratest.Quirks{NoTokens: true}, claims: []string{"reads", "tokens"}},
		"other IDs":     {quirks: astratest.Quirks{OtherHostIDs: true}, claims: []string{"host-id-of-system-local", "reads", "server-name-is-host-id"}},
		"partitioner":   {quirks: astratest.Quirks{Partitioner: "RandomPartitioner"}, claims: []string{"murmur3"}},
		"release":       {quirks: astratest.Quirks{Release: "5.0.5"}, claims: []string{"release-4.0"}},
		"split schema":  {prepare: func(s *astratest.Server) { s.SplitSchema(time.Hour) }, claims: []string{"schema-agreement"}},
		"path":          {prepare: func(s *astratest.Server) { s.SetMetadata(astratest.MetadataStatus(404)) }, claims: []string{"metadata-path", "metadata-status", "metadata-version"}},
		"garbage":       {prepare: func(s *astratest.Server) { s.SetMetadata(astratest.MetadataGarbage) }, claims: []string{"metadata-fields"}},
		"hibernated":    {prepare: (*astratest.Server).Hibernate},
		"one node down": {prepare: func(s *astratest.Server) { s.Nodes()[0].Stop() }, claims: []string{"contact-points-are-host-ids"}},
		"local_dc":      {prepare: replaceInMetadata(`"local_dc":"us-east1"`, `"local_dc":"us-east1-b"`), claims: []string{"local-dc-of-nodes", "reads", "region-is-local-dc"}},
		"no port":       {prepare: replaceInMetadata(`:\d+",`, `",`), claims: []string{"proxy-port"}},
		"IP address":    {prepare: replaceInMetadata(`0aa1-secret-name.db.example`, `127.0.0.1`), claims: []string{"proxy-addresses", "proxy-name"}},
		"fields":        {prepare: replaceInMetadata(`,"version":1`, ``), claims: []string{"metadata-fields"}},
		"one point":     {prepare: replaceInMetadata(`"contact_points":\[("[^"]*").*?\]`, `"contact_points":[$1]`), claims: []string{"contact-points-complete"}},
		"no points":     {prepare: replaceInMetadata(`"contact_points":\[.*?\]`, `"contact_points":[]`), claims: []string{"contact-points-not-empty"}},
		"upper case":    {prepare: upperCasePoints, claims: []string{"contact-points-lower-case"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, test.options...)
			s.SetQuirks(test.quirks)
			if test.prepare != nil {
				test.prepare(s)
			}
			o := options{patience: 20 * time.Second} // for a busy machine
			if slices.Contains(test.claims, "reads") {
				o.patience = 500 * time.Millisecond
			}
			r := observe(t, s, o)
			if not := r.byOutcome(holdsNot); !slices.Equal(slices.Sorted(slices.Values(not)), test.claims) {
				t.Errorf("do not hold: %q, want %q\n%s", not, test.claims, r.markdown())
			}
		})
	}
}

// replaceInMetadata changes what the metadata service answers.
func replaceInMetadata(pattern, replacement string) func(*astratest.Server) {
	return func(s *astratest.Server) {
		changeMetadata(s, func(text []byte) []byte { return regexp.MustCompile(pattern).ReplaceAll(text, []byte(replacement)) })
	}
}

func upperCasePoints(s *astratest.Server) {
	changeMetadata(s, func(text []byte) []byte {
		return ids.ReplaceAllFunc(text, bytes.ToUpper)
	})
}

func changeMetadata(s *astratest.Server, change func([]byte) []byte) {
	var hostIDs []string
	for _, n := range s.Nodes() {
		if n.Datacenter() == "us-east1" {
			hostIDs = append(hostIDs, n.HostID())
		}
	}
	contact := map[string]any{
		"type": "sni_proxy", "local_dc": "us-east1", "contact_points": hostIDs,
		"sni_proxy_address": s.Bundle().Host() + ":" + s.ProxyAddrs()[0].String()[strings.LastIndex(s.ProxyAddrs()[0].String(), ":")+1:],
	}
	text, err := json.Marshal(map[string]any{"version": 1, "region": "us-east1", "contact_info": contact})
	if err != nil {
		panic(err)
	}
	s.SetMetadataHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(change(text)) }))
}

func TestIdle(t *testing.T) {
	t.Parallel()
	for outcome, o := range map[outcome]options{couldNotBe: {idle: 10 * time.Millisecond}, holdsNot: {idle: time.Minute}} {
		s := newServer(t)
		r, err := newRecorder(t.Context(), astra.Config{Bundle: s.Bundle(), Token: s.Token(), Resolver: s.Resolver()}, o)
		if err != nil {
			t.Fatal(err)
		}
		r.nodes = []string{s.Nodes()[0].HostID()}
		ctx, cancel := context.WithCancel(t.Context())
		if outcome == holdsNot {
			go func() {
				for ctx.Err() == nil {
					if s.Stats().OpenConns > 0 {
						time.Sleep(50 * time.Millisecond) // past the login
						s.DropConns()
					}
					time.Sleep(time.Millisecond)
				}
			}()
		}
		for err = r.lookAtIdle(ctx); err != nil; err = r.lookAtIdle(ctx) {
			t.Log("dropped in the login:", err)
		}
		cancel()
		if f := r.findings["idle-cut"]; f.Outcome != outcome {
			t.Errorf("%+v, want %q", f, outcome)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.Nodes()[2].Stop()
	r := observe(t, s, options{named: true, patience: 20 * time.Second})
	if text := string(r.markdown()); !strings.Contains(text, "us-east1") || !strings.Contains(text, s.Nodes()[2].HostID()) {
		t.Errorf("names are hidden:\n%s", text)
	}
	if text := string(observe(t, s, options{patience: 20 * time.Second}).markdown()); !strings.Contains(text, "dc-1") || !strings.Contains(text, "node-") {
		t.Errorf("names are missing:\n%s", text)
	}
}

func TestRun(t *testing.T) { // not parallel: it sets variables
	s := astratest.NewServer()
	defer s.Close()
	path := filepath.Join(t.TempDir(), "bundle.zip")
	if err := os.WriteFile(path, s.BundleZip(), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ASTRA_DB_APPLICATION_TOKEN", s.Token().Bearer())
	t.Setenv("ASTRA_DB_SECURE_BUNDLE_PATH", path)
	var out, errs bytes.Buffer
	if err := run(t.Context(), nil, &out, &errs); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "# Claims about Astra") || !strings.Contains(errs.String(), "hold") {
		t.Errorf("printed %q and %q", &out, &errs)
	}
	hideAndSeek(t, s, out.String()+errs.String(), false)

	file := filepath.Join(t.TempDir(), "report.json")
	if err := run(t.Context(), []string{"-json", "-o", file}, &out, &errs); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	var r report
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil || len(r.Findings) != len(claims) {
		t.Errorf("%d findings, want %d; %v", len(r.Findings), len(claims), err)
	}
}

func TestRunErrors(t *testing.T) { // not parallel: it sets variables
	t.Setenv("ASTRA_DB_APPLICATION_TOKEN", "")
	t.Setenv("ASTRA_DB_SECURE_BUNDLE_PATH", "")
	for _, args := range [][]string{nil, {"x"}, {"-unknown"}} {
		if err := run(t.Context(), args, &bytes.Buffer{}, &bytes.Buffer{}); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newNames(s.Token(), false)
	n.host("db.example")
	n.datacenter("us-east1")
	for text, want := range map[string]string{
		"read tcp 10.1.2.3:50000->10.4.5.6:29042: reset": "read tcp <address>-><address>: reset",
		"dial [2001:db8::1]:29042 or 2001:db8::1: no":    "dial <address> or <address>: no",
		"fe80::1%eth0: no":                                     "<address>: no",
		"at 10:15:30 error 0x0100: no":                         "at 10:15:30 error 0x0100: no",
		"release 4.0.11: no":                                   "release 4.0.11: no",
		"node 8C5A9A3B-0000-4000-8000-000000000001 is gone":    "node <id> is gone",
		"valid for DB.example, not x":                          "valid for host-1, not x",
		"Get \"https://db.example:1/metadata?x=1\": no":        "Get \"<link>\": no",
		"token " + s.Token().Bearer() + " in us-east1 refused": "token <token> in dc-1 refused",
	} {
		if got := n.words(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if long := n.words(strings.Repeat("ü", 1000)); len(long) > 310 || strings.Contains(long, "\ufffd") {
		t.Errorf("%d bytes: %q", len(long), long)
	}
}

// Each claim stands in the document, in both directions, and says the same of whether it is recorded.
func TestClaimsAreWrittenDown(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/assumptions.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `([a-z0-9.-]+)` \\|.*\\| (documented|inferred|assumed|seen live)(, recorded)? \\|")
	var written []string
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		written = append(written, match[1]+match[3])
	}
	var known []string
	for _, c := range claims {
		if c.unseen == "" {
			c.name += ", recorded"
		}
		known = append(known, c.name)
	}
	if !slices.Equal(written, known) {
		t.Errorf("the document has\n%q\nthis program\n%q", written, known)
	}
}
