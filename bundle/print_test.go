package bundle_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-5f06b232/astra-go/bundle"
)

func TestFactsOfTheHostName(t *testing.T) {
	t.Parallel()
	for host, want := range map[string][2]string{
		astraHost: {databaseID, "us-east1"},
		databaseID + "-us-east-1.db.astra.datastax.com":                 {databaseID, "us-east-1"},
		databaseID + "-eu-central-1.db.astra-dev.datastax.com":          {databaseID, "eu-central-1"},
		databaseID + "-westus2.db.example.com":                          {databaseID, "westus2"},
		strings.ToUpper(databaseID) + "-westus2.db.astra.datastax.com":  {strings.ToUpper(databaseID), "westus2"},
		databaseID + ".db.astra.datastax.com":                           {},
		databaseID + "-us-east1":                                        {},
		"x" + databaseID + "-us-east1.db.astra.datastax.com":            {},
		"0123abcd-0123-4567-89ab-0123456789ag-us-east1.db.datastax.com": {},
		"localhost": {},
		"192.0.2.1": {},
	} {
		b := bundleFor(t, host)
		if got := [2]string{b.DatabaseID(), b.Region()}; got != want {
			t.Errorf("%s: got %q, want %q", host, got, want)
		}
	}
}

func TestPrintingShowsFacts(t *testing.T) {
	t.Parallel()
	b := parse(t, files(t))
	expires := b.Certificate().NotAfter.UTC().Format("2006-01-02T15:04:05Z")
	want := "bundle{host=" + astraHost + " port=29080 cql_port=29042 database_id=" + databaseID +
		" region=us-east1 keyspace=shop local_dc=us-east1 certificate_expires=" + expires + "}"
	for _, got := range []string{b.String(), fmt.Sprint(b), fmt.Sprintf("%v", *b), fmt.Sprintf("%+v", b), fmt.Sprintf("%#v", b), fmt.Sprintf("%q", b), fmt.Sprintf("%d", *b)} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(asJSON(t, b)), &fields); err != nil {
		t.Fatal(err)
	}
	wantFields := map[string]any{
		"host": astraHost, "port": 29080.0, "cql_port": 29042.0, "database_id": databaseID, "region": "us-east1", "keyspace": "shop",
		"local_dc": "us-east1", "certificate_expires": expires,
	}
	if diff := cmp.Diff(wantFields, fields); diff != "" {
		t.Error(diff)
	}
	if got := asJSON(t, []any{*b}); got != asJSON(t, []any{b}) {
		t.Errorf("without a pointer the JSON is %s", got)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("loaded", "bundle", b)
	if !strings.Contains(log.String(), "bundle.region=us-east1") {
		t.Errorf("logged %s", log.String())
	}
}

func TestPrintingNil(t *testing.T) {
	t.Parallel()
	var none *bundle.Bundle
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("none", "bundle", none)
	if got := fmt.Sprintf("%v %+v %s", none, none, none); got != "<nil> <nil> <nil>" || asJSON(t, none) != "null" || log.Len() == 0 {
		t.Errorf("got %s, %s, %s", got, asJSON(t, none), log.String())
	}
	if got := new(bundle.Bundle).String(); got != "bundle{host= port=0}" {
		t.Errorf("the zero value is %s", got)
	}
}

// dump follows pointers, interfaces and unexported fields, as dumpers do.
func dump(out *strings.Builder, v reflect.Value, seen map[uintptr]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return
		}
		seen[v.Pointer()] = true
		dump(out, v.Elem(), seen)
	case reflect.Interface:
		dump(out, v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			dump(out, v.Field(i), seen)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
			fmt.Fprintf(out, "%s\n%x\n", v.Bytes(), v.Bytes())
			return
		}
		for i := range v.Len() {
			dump(out, v.Index(i), seen)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			dump(out, key, seen)
			dump(out, v.MapIndex(key), seen)
		}
	default:
		fmt.Fprintln(out, v)
	}
}

func TestPrintingShowsNoSecrets(t *testing.T) {
	t.Parallel()
	all := files(t)
	config := config(t, map[string]any{"username": "secret-user", "password": "secret-password"})
	b := parse(t, with(all, map[string][]byte{"config.json": config}))
	source := bundle.File(writeDir(t, all))
	must[*bundle.Bundle](t)(source.Current(t.Context()))
	type holder struct {
		Exported   any
		unexported any
		value      bundle.Bundle
		pointer    *bundle.Bundle
		list       []*bundle.Bundle
		byName     map[string]*bundle.Bundle
		source     bundle.Source
		method     any
	}
	held := holder{b, b, *b, b, []*bundle.Bundle{b}, map[string]*bundle.Bundle{"b": b}, source, source}

	var out strings.Builder
	for _, value := range []any{b, *b, held, &held, []any{b}, source, parts(), fmt.Errorf("%w: %v", bundleError(t), b)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%p", "%t"} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
		if text, err := json.Marshal(value); err == nil {
			out.Write(text)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "value", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "value", value)
		dump(&out, reflect.ValueOf(value), make(map[uintptr]bool))
	}
	text := out.String()
	if !strings.Contains(text, astraHost) {
		t.Error("the test prints nothing")
	}
	key := all["key"]
	for _, secret := range []string{
		"secret", hex.EncodeToString([]byte("secret")), "BEGIN PRIVATE KEY", string(key[40:80]), hex.EncodeToString(key[40:80]),
		hex.EncodeToString(all["cert.pfx"][:40]), hex.EncodeToString(pack(t, all)[:40]),
	} {
		if at := strings.Index(strings.ToLower(text), strings.ToLower(secret)); at >= 0 {
			t.Errorf("%q was printed: …%s…", secret, text[max(0, at-100):at+100])
		}
	}
}

func bundleError(t testing.TB) error {
	_, err := bundle.Parse(pack(t, with(files(t), map[string][]byte{"key": []byte("secret")})))
	return err
}
