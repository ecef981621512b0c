package bundle_test

import (
	"testing"

	"github.com/seed-5f06b232/astra-go/bundle"
)

func TestParse(t *testing.T) {
	t.Parallel()
	b := parse(t, files(t))
	if b.Host() != astraHost || b.Port() != 29080 || b.CQLPort() != 29042 || b.Keyspace() != "shop" || b.LocalDC() != "us-east1" {
		t.Errorf("got %v", b)
	}
	if want := "https://" + astraHost + ":29080/metadata"; b.MetadataURL() != want {
		t.Errorf("MetadataURL() = %s, want %s", b.MetadataURL(), want)
	}
	if !b.Certificate().Equal(sharedClient().Certificate) {
		t.Error("Certificate() is another")
	}
	if w := b.Warnings(); len(w) != 0 {
		t.Errorf("warnings %q", w)
	}
}

func TestParseFixture(t *testing.T) {
	t.Parallel()
	b, err := bundle.Parse(fixture(t))
	if err != nil {
		t.Fatal(err)
	}
	if b.Host() != "localhost" || b.Port() != 30443 || b.CQLPort() != 0 || b.Keyspace() != "system" || b.LocalDC() != "" {
		t.Errorf("got %v", b)
	}
	if b.Certificate().Version != 1 {
		t.Errorf("certificate version %d, want 1", b.Certificate().Version)
	}
	if len(b.Warnings()) != 1 {
		t.Errorf("warnings %q, want one about username and password", b.Warnings())
	}
}
