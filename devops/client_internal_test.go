package devops

import (
	"crypto/tls"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// The default client refuses TLS below 1.2, takes proxies from the environment (astra-cli #146), and leaves the program's own default alone.
func TestDefaultHTTP(t *testing.T) {
	t.Parallel()
	c := defaultHTTP()
	transport, ok := c.Transport.(*http.Transport)
	if !ok || transport == http.DefaultTransport {
		t.Fatalf("transport %T", c.Transport)
	}
	if v := transport.TLSClientConfig.MinVersion; v != tls.VersionTLS12 {
		t.Errorf("TLS from %s on", tls.VersionName(v))
	}
	if reflect.ValueOf(transport.Proxy).Pointer() != reflect.ValueOf(http.ProxyFromEnvironment).Pointer() {
		t.Error("proxies do not come from the environment")
	}
	if transport.TLSHandshakeTimeout == 0 || transport.IdleConnTimeout == 0 || !transport.ForceAttemptHTTP2 {
		t.Error("time-outs or HTTP/2 are missing")
	}
	if http.DefaultClient.CheckRedirect != nil {
		t.Error("the program's default client was changed")
	}
}

// Programs that trace their requests put a transport of their own in the place of the default one.
func TestDefaultHTTPOfInstrumentedProgram(t *testing.T) { // not parallel: it changes what all tests see
	given := http.DefaultTransport
	defer func() { http.DefaultTransport = given }()
	http.DefaultTransport = http.NewFileTransport(http.Dir(t.TempDir()))
	if _, ok := newHTTP().Transport.(*http.Transport); !ok {
		t.Error("no transport of our own")
	}
}

// The zero Client and nil are errors, not panics.
func TestZeroClient(t *testing.T) {
	t.Parallel()
	const id = "0123abcd-0123-4567-89ab-0123456789ab"
	for name, c := range map[string]*Client{"zero": {}, "nil": nil} {
		_, bundleErr := c.Bundle(id, BundleQuery{}).Current(t.Context())
		_, databaseErr := c.Database(t.Context(), id)
		_, nameErr := c.Database(t.Context(), "name")
		_, rolesErr := c.Roles(t.Context())
		_, createErr := c.CreateToken(t.Context(), TokenRequest{Roles: []string{id}})
		_, waitErr := c.WaitActive(t.Context(), id, nil)
		for what, err := range map[string]error{
			"Bundle": bundleErr, "Database": databaseErr, "Database by name": nameErr, "Roles": rolesErr, "CreateToken": createErr,
			"WaitActive": waitErr, "DeleteToken": c.DeleteToken(t.Context(), "a"), "Resume": c.Resume(t.Context(), id),
		} {
			if err == nil || !strings.Contains(err.Error(), "NewClient") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}
