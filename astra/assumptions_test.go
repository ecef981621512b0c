package astra_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"github.com/seed-5f06b232/astra-go/astra"
	"github.com/seed-5f06b232/astra-go/astra/astratest"
)

// An opposite is an Astra of which a claim in docs/assumptions.md does not hold. A session works all the same, or its error says what is wrong.
type opposite struct {
	claim   string // as the document calls it
	is      string // what is the case in its place
	options []astratest.Option
	quirks  astratest.Quirks
	prepare func(*astratest.Server)

	metadata func(document, contactInfo map[string]any)                    // changes the metadata service's answer
	answer   func(w http.ResponseWriter, r *http.Request, document []byte) // gives it in another way
	config   func(*astratest.Server, astra.Config) astra.Config            // changes the client's configuration

	nodes int      // that answer statements, of three; 0: all
	fails []string // what the error says; nil: the session works
}

var opposites = []opposite{
	// TLS
	{claim: "tls-1.3", is: "TLS 1.2 only", quirks: astratest.Quirks{TLS12: true}},
	{claim: "session-tickets", is: "none", quirks: astratest.Quirks{NoSessionTickets: true}},
	{claim: "session-tickets", is: "none in TLS 1.2", quirks: astratest.Quirks{NoSessionTickets: true, TLS12: true}},
	{claim: "client-certificate", is: "not asked for", quirks: astratest.Quirks{NoClientCertificates: true}},
	{claim: "root-not-sent", is: "sent", quirks: astratest.Quirks{SendRoot: true}},
	{
		claim: "certificate-san", is: "wildcard",
		options: []astratest.Option{astratest.Host("db-id-region.db.example")},
		quirks:  astratest.Quirks{CertificateNames: []string{"*.db.example"}},
	},
	{
		claim: "certificate-san", is: "wildcard of two labels",
		options: []astratest.Option{astratest.Host("db-id.region.db.example")},
		quirks:  astratest.Quirks{CertificateNames: []string{"*.db.example"}},
		fails:   []string{"certificate is valid for *.db.example, not db-id.region.db.example"},
	},
	{
		claim: "certificate-san", is: "common name only", quirks: astratest.Quirks{CommonNameOnly: true},
		fails: []string{"metadata service https://localhost", "certificate relies on legacy Common Name field"},
	},
	{
		claim: "certificate-ca", is: "another authority",
		config: func(s *astratest.Server, c astra.Config) astra.Config {
			s.RotateBundle() // after the client has got the old one
			return c
		},
		fails: []string{"signed by unknown authority", "download a new one"},
	},

	// Metadata service
	{claim: "metadata-path", is: "elsewhere", answer: status(404, ``), fails: []string{"/metadata: status 404"}},
	{
		claim: "metadata-version", is: "to be asked for",
		answer: func(w http.ResponseWriter, r *http.Request, document []byte) {
			if r.URL.Query().Get("version") != "1" {
				status(400, `{"code":400,"message":"Invalid version"}`)(w, r, nil)
			}
		},
		fails: []string{"status 400", `"Invalid version"`},
	},
	{claim: "metadata-fields", is: "no version, no type, no region", metadata: func(document, contact map[string]any) {
		delete(document, "version")
		delete(document, "region")
		delete(contact, "type")
	}},
	{claim: "metadata-fields", is: "more of them", metadata: func(document, contact map[string]any) {
		document["version"] = "2"
		document["links"] = []any{nil}
		contact["extra"] = map[string]any{"a": 1}
	}},
	{
		claim: "metadata-fields", is: "another type", metadata: func(_, contact map[string]any) { contact["type"] = "private_link" },
		fails: []string{`contact_info.type is "private_link"; only sni_proxy is known`},
	},
	{
		claim: "metadata-fields", is: "no local_dc", metadata: func(_, contact map[string]any) { delete(contact, "local_dc") },
		fails: []string{"no contact_info.local_dc"},
	},
	{
		claim: "metadata-fields", is: "no sni_proxy_address", metadata: func(_, contact map[string]any) { delete(contact, "sni_proxy_address") },
		fails: []string{"sni_proxy_address", "no host"},
	},
	{claim: "metadata-fields", is: "another content type", answer: func(w http.ResponseWriter, _ *http.Request, document []byte) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write(document)
	}},
	{claim: "metadata-status", is: "201", answer: status(201, `{}`), fails: []string{"status 201"}},
	{
		claim: "metadata-status", is: "redirect",
		answer: func(w http.ResponseWriter, r *http.Request, _ []byte) {
			http.Redirect(w, r, "https://elsewhere.example/metadata", http.StatusFound)
		},
		fails: []string{"status 302", "a redirect, which is not followed"},
	},
	{claim: "metadata-status", is: "closes connections without saying so", answer: func(w http.ResponseWriter, _ *http.Request, document []byte) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.0 200 OK\r\n\r\n%s", document)
	}},
	{claim: "region-is-local-dc", is: "another region", metadata: func(document, _ map[string]any) { document["region"] = "gcp/elsewhere" }},
	{
		claim: "local-dc-of-nodes", is: "of none", metadata: func(_, contact map[string]any) { contact["local_dc"] = "dc-1" },
		fails: []string{`"dc-1"`, `"us-east1"`, "local datacenter"},
	},
	{
		claim: "contact-points-local", is: "some are remote, and refused",
		prepare: func(s *astratest.Server) { s.AddDatacenter("eu-west1", 3) }, // metadataDocument names all nodes
	},
	{claim: "contact-points-complete", is: "one of three", metadata: func(_, contact map[string]any) {
		contact["contact_points"] = contact["contact_points"].([]string)[:1]
	}},
	{claim: "contact-points-lower-case", is: "upper case", metadata: func(_, contact map[string]any) {
		for i, id := range contact["contact_points"].([]string) {
			contact["contact_points"].([]string)[i] = strings.ToUpper(id)
		}
	}},
	{
		claim: "contact-points-not-empty", is: "empty", metadata: func(_, contact map[string]any) { contact["contact_points"] = []string{} },
		fails: []string{"contact_points is empty", "no node"},
	},
	{
		claim: "contact-points-are-host-ids", is: "unknown to the proxy", metadata: func(_, contact map[string]any) {
			contact["contact_points"] = []string{"7d9c2b3e-0000-4000-8000-000000000001"}
		},
		fails: []string{"any node through localhost:", "unrecognized name"},
	},
	{
		claim: "hibernated-is-silent", is: "answers 503", answer: status(503, `{"code":503,"message":"The database is hibernated."}`),
		fails: []string{"status 503", "The database is hibernated."},
	},
	{
		claim: "hibernated-is-silent", is: "resets connections", prepare: (*astratest.Server).Hibernate,
		fails: []string{"a hibernated, parked or terminated database does not answer"},
	},

	// SNI proxy
	{
		claim: "proxy-name", is: "another than the bundle's host",
		options: []astratest.Option{astratest.Host("db.example")},
		quirks:  astratest.Quirks{CertificateNames: []string{"db.example", "proxy.example"}},
		metadata: func(_, contact map[string]any) {
			contact["sni_proxy_address"] = strings.Replace(contact["sni_proxy_address"].(string), "db.", "proxy.", 1)
		},
		config: tunnel,
	},
	{
		claim: "proxy-name", is: "not in the certificate",
		options: []astratest.Option{astratest.Host("db.example")},
		metadata: func(_, contact map[string]any) {
			contact["sni_proxy_address"] = strings.Replace(contact["sni_proxy_address"].(string), "db.", "proxy.", 1)
		},
		config: tunnel,
		fails:  []string{"SNI proxy, expected to be proxy.example", "certificate is valid for db.example"},
	},
	{claim: "proxy-name", is: "IP address", metadata: func(_, contact map[string]any) {
		contact["sni_proxy_address"] = strings.Replace(contact["sni_proxy_address"].(string), "localhost", "127.0.0.1", 1)
	}},
	{claim: "proxy-port", is: "not stated", metadata: func(_, contact map[string]any) {
		contact["sni_proxy_address"], _, _ = net.SplitHostPort(contact["sni_proxy_address"].(string))
	}},
	{claim: "server-name-is-host-id", is: "ignored", quirks: astratest.Quirks{IgnoreServerName: true}},

	// Nodes
	{
		claim: "protocol-v4", is: "refused", quirks: astratest.Quirks{NoVersion4: true},
		fails: []string{"Invalid or unsupported protocol version (4); the lowest supported version is 5"},
	},
	{claim: "product-type", is: "absent", quirks: astratest.Quirks{NoProductType: true}},
	{claim: "authenticator", is: "Cassandra's", quirks: astratest.Quirks{Authenticator: "org.apache.cassandra.auth.PasswordAuthenticator"}},
	{claim: "authenticator", is: "DSE's", quirks: astratest.Quirks{Authenticator: "com.datastax.bdp.cassandra.auth.DseAuthenticator"}},
	{claim: "authenticator", is: "unknown", quirks: astratest.Quirks{Authenticator: "com.example.Authenticator"}},
	{claim: "authenticator", is: "none", quirks: astratest.Quirks{NoAuthentication: true}},
	{claim: "authenticator", is: "wants more", quirks: astratest.Quirks{Challenge: true}, fails: []string{"challenge"}},
	{claim: "peers-v2-missing", is: "there", options: []astratest.Option{astratest.PeersV2()}},
	{claim: "rpc-address-unique", is: "shared", options: []astratest.Option{astratest.SharedAddress()}},
	{claim: "peers-tell-all", is: "nothing", quirks: astratest.Quirks{NoPeers: true}, nodes: 1},
	{claim: "murmur3", is: "random", quirks: astratest.Quirks{Partitioner: "org.apache.cassandra.dht.RandomPartitioner"}},
	{claim: "murmur3", is: "unknown", quirks: astratest.Quirks{Partitioner: "com.example.Partitioner"}},
	{claim: "tokens", is: "none", quirks: astratest.Quirks{NoTokens: true}, nodes: 1},
	{claim: "release-4.0", is: "5.0", quirks: astratest.Quirks{Release: "5.0.5"}},
	{claim: "release-4.0", is: "DSE", quirks: astratest.Quirks{Release: "4.0.0.6816"}},
	{claim: "release-4.0", is: "no number", quirks: astratest.Quirks{Release: "cndb-main-SNAPSHOT"}},
	{claim: "schema-agreement", is: "never", prepare: func(s *astratest.Server) { s.SplitSchema(time.Hour) }},
	{
		claim: "host-id-of-system-local", is: "another", quirks: astratest.Quirks{OtherHostIDs: true},
		fails: []string{"unrecognized name"},
	},
	{
		claim: "refusal-code", is: "unauthorized", config: wrongToken,
		quirks: astratest.Quirks{TokenRefusal: &astratest.Error{Code: 0x2100, Message: "No such client"}},
		fails:  []string{astra.ErrUnauthenticated.Error(), "No such client"},
	},
	{
		claim: "refusal-code", is: "server error", config: wrongToken,
		quirks: astratest.Quirks{TokenRefusal: &astratest.Error{Code: 0, Message: "auth service is away"}},
		fails:  []string{"auth service is away"},
	},
	{
		claim: "refusal-code", is: "no words", config: wrongToken,
		quirks: astratest.Quirks{TokenRefusal: &astratest.Error{Code: 0x0100}},
		fails:  []string{astra.ErrUnauthenticated.Error()},
	},
}

func TestAssumptions(t *testing.T) {
	t.Parallel()
	for _, o := range opposites {
		t.Run(o.claim+"/"+o.is, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, o.options...)
			s.SetQuirks(o.quirks)
			if o.metadata != nil || o.answer != nil || o.claim == "contact-points-local" {
				s.SetMetadataHandler(o.metadataHandler(s))
			}
			if o.prepare != nil {
				o.prepare(s)
			}
			c := config(s)
			if o.config != nil {
				c = o.config(s, c)
			}
			if o.fails == nil {
				o.works(t, s, c)
			} else {
				o.failsClearly(t, c)
			}
		})
	}
}

// works opens a session and reads until as many nodes as should have answered.
func (o *opposite) works(t *testing.T, s *astratest.Server, c astra.Config) {
	executed := handle(s)
	session := connect(t, newCluster(t, c))
	nodes := o.nodes
	if nodes == 0 {
		nodes = 3
	}
	key := 0
	counts := make(map[string]int)
	eventually(t, fmt.Sprintf("%d nodes answer", nodes), func() bool {
		for range 20 {
			key++
			if err := query(session, key); err != nil {
				t.Fatal(err)
			}
		}
		for id, n := range executed.reset() {
			counts[id] += n
		}
		return len(counts) >= nodes
	})
}

func (o *opposite) failsClearly(t *testing.T, c astra.Config) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	session, err := astra.Connect(ctx, newCluster(t, c))
	if err == nil {
		session.Close()
		t.Fatal("the session works; say so in docs/assumptions.md")
	}
	if ctx.Err() != nil {
		t.Fatalf("not within 20 s: %v", err)
	}
	if c, err2 := c.Token.Current(ctx); err2 != nil || strings.Contains(err.Error(), c.Secret()) || strings.Contains(err.Error(), c.Bearer()[33:]) {
		t.Errorf("the error shows the token: %v", err2)
	}
	for _, words := range o.fails {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("the error does not say %q: %v", words, err)
		}
	}
}

func (o *opposite) metadataHandler(s *astratest.Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		document, contact := metadataDocument(s)
		if o.metadata != nil {
			o.metadata(document, contact)
		}
		text, err := json.Marshal(document)
		if err != nil {
			panic(err)
		}
		if o.answer != nil {
			o.answer(w, r, text)
			return
		}
		w.Write(text)
	})
}

// metadataDocument is what the metadata service should answer, with its contact_info.
func metadataDocument(s *astratest.Server) (document, contact map[string]any) {
	var ids []string
	for _, n := range s.Nodes() { // also those that AddDatacenter has added
		ids = append(ids, n.HostID())
	}
	contact = map[string]any{
		"type":              "sni_proxy",
		"local_dc":          s.Nodes()[0].Datacenter(),
		"contact_points":    ids,
		"sni_proxy_address": net.JoinHostPort(s.Bundle().Host(), fmt.Sprint(s.ProxyAddrs()[0].Port())),
	}
	return map[string]any{"version": 1, "region": contact["local_dc"], "contact_info": contact}, contact
}

func status(code int, body string) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

// tunnel connects to the server under any name.
func tunnel(_ *astratest.Server, c astra.Config) astra.Config {
	c.Resolver = nil
	c.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		var d net.Dialer
		return d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	}
	return c
}

func wrongToken(s *astratest.Server, c astra.Config) astra.Config {
	s.RotateToken()
	return c
}

// What a node says of a statement reaches the program, whatever the code.
func TestAssumptionsOnStatements(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	handle(s)
	session := connect(t, newCluster(t, config(s)))
	t.Run("write-consistency", func(t *testing.T) {
		for _, level := range []gocql.Consistency{gocql.Any, gocql.One, gocql.LocalOne} {
			err := session.Query(write, 1, "x").Consistency(level).Idempotent(true).Exec()
			if err == nil || !strings.Contains(err.Error(), "not allowed for Write Consistency Level") {
				t.Errorf("write at %v: %v", level, err)
			}
		}
		var v string
		if err := session.Query(read, 1).Consistency(gocql.One).Scan(&v); err != nil {
			t.Errorf("read at ONE: %v", err)
		}
	})
	t.Run("overloaded", func(t *testing.T) {
		for code, want := range map[int]int32{0x0000: 6, 0x1001: 6, 0x1003: 6, 0x2200: 1} { // 5 retries, or none
			var n atomic.Int32
			statement := fmt.Sprintf("SELECT refused_%d", code)
			s.Handle(statement, astratest.Statement{Func: func(*astratest.Request) (*astratest.Result, error) {
				n.Add(1)
				return nil, &astratest.Error{Code: code, Message: "Rate limit reached"}
			}})
			err := session.Query(statement).Idempotent(true).Exec()
			if err == nil || !strings.Contains(err.Error(), "Rate limit reached") || n.Load() != want {
				t.Errorf("0x%04X: %d attempts, want %d; %v", code, n.Load(), want, err)
			}
		}
	})
}

// idle-cut: an idle limit of less than gocql's heartbeat.
func TestConnectionsAreCutAgainAndAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	executed := handle(s)
	c := config(s)
	c.RecoveryWait = 20 * time.Second // for a busy machine
	session := connect(t, newCluster(t, c))
	// gocql calls it "context canceled", and repeats nothing, when a connection ends while it prepares a statement: so that is done first.
	readThrough(t, s, session, executed)
	for cut := range 5 {
		s.DropConns()
		eventually(t, "there is a connection again", func() bool { return s.Stats().OpenConns > 0 })
		for key := range 5 {
			if err := query(session, key); err != nil {
				t.Errorf("after cut %d: %v", cut, err)
			}
		}
	}
}

// metadata-is-current: no statement fails while the service names nodes that are gone, as long as RecoveryWait permits.
func TestTheMetadataServiceTellsLate(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	executed := handle(s)
	c := config(s)
	c.RecoveryWait = 20 * time.Second // for a busy machine
	session := connect(t, newCluster(t, c))
	readThrough(t, s, session, executed) // as above
	s.DelayMetadata(300 * time.Millisecond)
	s.ReplaceNodes(astratest.Replacement{Quiet: true})
	readThrough(t, s, session, executed)
}

var claimRow = regexp.MustCompile("^\\| `([a-z0-9.-]+)` \\|")

// Every opposite is of a claim in the document, and every test that the document names exists.
func TestAssumptionsAreWrittenDown(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/assumptions.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t, "..")
	rows := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		match := claimRow.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		claim := match[1]
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 6 || rows[claim] != "" {
			t.Errorf("%s: it has %d cells, want 6, or stands there twice", claim, len(cells))
			continue
		}
		rows[claim] = line
		if status, _, _ := strings.Cut(cells[3], ","); !slices.Contains([]string{"documented", "inferred", "assumed", "seen live"}, status) {
			t.Errorf("%s: the status is %q", claim, status)
		}
		for _, name := range regexp.MustCompile("`(Test[A-Za-z0-9]*)`").FindAllStringSubmatch(cells[5], -1) {
			if !tests[name[1]] {
				t.Errorf("%s: there is no %s", claim, name[1])
			}
		}
		named := strings.Contains(cells[5], "`TestAssumptions`")
		if tested := slices.ContainsFunc(opposites, func(o opposite) bool { return o.claim == claim }); tested != named {
			t.Errorf("%s: the document names TestAssumptions: %v; it has such a subtest: %v", claim, named, tested)
		}
	}
	for _, o := range opposites {
		if rows[o.claim] == "" {
			t.Errorf("%s is not in the document", o.claim)
		}
	}
}

// testNames returns the names of all tests of the module.
func testNames(t *testing.T, root string) map[string]bool {
	names := make(map[string]bool)
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, match := range function.FindAllSubmatch(source, -1) {
			names[string(match[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
