package devops

import (
	"crypto/tls"
	"net/http"
	"reflect"
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
	if http.DefaultClient.CheckRedirect != nil {
		t.Error("the program's default client was changed")
	}
}
