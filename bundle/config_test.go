package bundle_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/seed-5f06b232/astra-go/bundle"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	all := files(t)
	type want struct {
		host          string
		port, cqlPort int
		keyspace      string
		warnings      int
	}
	const full = `{"host": "db.test", "port": 30443, "cql_port": 29042, "keyspace": "shop", "localDC": "dc-1", "username": "u", "password": "secret-p",
		"caCertLocation": "./ca.crt", "keyStorePassword": "secret-k", "csvLocation": "./data", "unknown": {"deep": [1, 2, null]}}`
	for name, test := range map[string]struct {
		config string
		want   want
	}{
		"full and old, with unknown fields":     {full, want{"db.test", 30443, 29042, "shop", 1}},
		"minimal":                               {`{"host":"db.test","port":1}`, want{host: "db.test", port: 1}},
		"without credentials":                   {`{"host":"db.test","port":29080,"keyspace":"shop"}`, want{"db.test", 29080, 0, "shop", 0}},
		"username that is a number":             {`{"host":"db.test","port":29080,"username":1}`, want{host: "db.test", port: 29080, warnings: 1}},
		"port in a text":                        {`{"host":"db.test","port":"29080","cql_port":" 29042 "}`, want{host: "db.test", port: 29080, cqlPort: 29042}},
		"largest port":                          {`{"host":"db.test","port":65535}`, want{host: "db.test", port: 65535}},
		"byte order mark":                       {"\xef\xbb\xbf" + `{"host":"db.test","port":1}`, want{host: "db.test", port: 1}},
		"line ends of Windows":                  {"{\r\n\"host\":\"db.test\",\r\n\"port\":1\r\n}\r\n", want{host: "db.test", port: 1}},
		"null in optional fields":               {`{"host":"db.test","port":1,"cql_port":null,"keyspace":null,"pfxCertPassword":null}`, want{host: "db.test", port: 1}},
		"spaces around the host":                {`{"host":" db.test ","port":1}`, want{host: "db.test", port: 1}},
		"IPv4":                                  {`{"host":"192.0.2.1","port":1}`, want{host: "192.0.2.1", port: 1}},
		"IPv6":                                  {`{"host":"2001:db8::1","port":1}`, want{host: "2001:db8::1", port: 1}},
		"IPv6 in brackets":                      {`{"host":"[2001:db8::1]","port":1}`, want{host: "2001:db8::1", port: 1}},
		"names of fields are case-sensitive":    {`{"host":"db.test","port":1,"HOST":"other","Port":2}`, want{host: "db.test", port: 1}},
		"a field twice counts the second time":  {`{"host":"other","host":"db.test","port":2,"port":1}`, want{host: "db.test", port: 1}},
		"locations elsewhere have no influence": {`{"host":"db.test","port":1,"caCertLocation":"/etc/ca.crt"}`, want{host: "db.test", port: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			b := parse(t, with(all, map[string][]byte{"config.json": []byte(test.config)}))
			if got := (want{b.Host(), b.Port(), b.CQLPort(), b.Keyspace(), len(b.Warnings())}); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestMetadataURLOfIPv6(t *testing.T) {
	t.Parallel()
	b := parse(t, with(files(t), map[string][]byte{"config.json": []byte(`{"host":"::1","port":29080}`)}))
	if want := "https://[::1]:29080/metadata"; b.MetadataURL() != want {
		t.Errorf("got %s, want %s", b.MetadataURL(), want)
	}
}

func TestConfigRefusals(t *testing.T) {
	t.Parallel()
	all := files(t)
	for name, test := range map[string]struct{ config, want string }{
		"empty":                    {"", "is empty"},
		"spaces":                   {" \n", "is empty"},
		"byte order mark alone":    {"\xef\xbb\xbf", "is empty"},
		"brace":                    {"{", "not valid JSON"},
		"null":                     {"null", "not a JSON object"},
		"array":                    {"[]", "not a JSON object"},
		"text":                     {`"host"`, "not a JSON object"},
		"empty object":             {"{}", `"host" is missing`},
		"irrelevant field":         {`{"keyspace":"shop"}`, `"host" is missing`},
		"no host":                  {`{"port":1}`, `"host" is missing`},
		"empty host":               {`{"host":"","port":1}`, `"host" is missing`},
		"blank host":               {`{"host":"  ","port":1}`, `"host" is missing`},
		"null host":                {`{"host":null,"port":1}`, `"host" is missing`},
		"host that is a number":    {`{"host":1,"port":1}`, `"host" is not a text`},
		"host with a scheme":       {`{"host":"https://db.test","port":1}`, "must be a name alone"},
		"host with a port":         {`{"host":"db.test:29080","port":1}`, "must be a name alone"},
		"host with two colons":     {`{"host":"db.test:29080:29042","port":1}`, "not a host name"},
		"host and path by colons":  {`{"host":"a:b:c","port":1}`, "not a host name"},
		"name in brackets":         {`{"host":"[db.test]","port":1}`, "not a host name"},
		"host with a percent sign": {`{"host":"db%2etest","port":1}`, "not a host name"},
		"host with a path":         {`{"host":"db.test/x","port":1}`, "not a host name"},
		"host with a space":        {`{"host":"db test","port":1}`, "not a host name"},
		"host that is not ASCII":   {`{"host":"b\u00fccher.example","port":1}`, "not a host name"},
		"host with a line break":   {`{"host":"db\ntest","port":1}`, "not a host name"},
		"host of 300 characters":   {`{"host":"` + strings.Repeat("a", 300) + `","port":1}`, "not a host name"},
		"no port":                  {`{"host":"db.test"}`, `"port" is missing`},
		"null port":                {`{"host":"db.test","port":null}`, `"port" is missing`},
		"port 0":                   {`{"host":"db.test","port":0}`, "from 1 to 65535"},
		"negative port":            {`{"host":"db.test","port":-1}`, "from 1 to 65535"},
		"port 65536":               {`{"host":"db.test","port":65536}`, "from 1 to 65535"},
		"port 99999999":            {`{"host":"db.test","port":99999999}`, "from 1 to 65535"},
		"port beyond 64 bits":      {`{"host":"db.test","port":1e30}`, "from 1 to 65535"},
		"port with a fraction":     {`{"host":"db.test","port":1.5}`, "from 1 to 65535"},
		"empty text for a port":    {`{"host":"db.test","port":""}`, "from 1 to 65535"},
		"word for a port":          {`{"host":"db.test","port":"cql"}`, "from 1 to 65535"},
		"port that is an array":    {`{"host":"db.test","port":[1]}`, "from 1 to 65535"},
		"CQL port 0":               {`{"host":"db.test","port":1,"cql_port":0}`, "from 1 to 65535"},
		"keyspace of another type": {`{"host":"db.test","port":1,"keyspace":{}}`, `"keyspace" is not a text`},
		"password of another type": {`{"host":"db.test","port":1,"keyStorePassword":815815815}`, `"keyStorePassword" is not a text`},
		"data after the object":    {`{"host":"db.test","port":1}{}`, "not valid JSON"},
		"UTF-16":                   {"\xff\xfe{\x00}\x00", "UTF-16"},
		"YAML":                     {"host: db.test\nport: 1\n", "not a JSON object"},
		"deep nesting":             {`{"host":` + strings.Repeat("[", 30000), "not valid JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := bundle.Parse(pack(t, with(all, map[string][]byte{"config.json": []byte(test.config)})))
			var e *bundle.Error
			if !errors.As(err, &e) || e.Entry != "config.json" || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v, want an error about config.json with %q", err, test.want)
			}
			if errors.Is(err, fs.ErrNotExist) {
				t.Errorf("config.json is there, but %v is fs.ErrNotExist", err)
			}
			if strings.Contains(err.Error(), "815") || len(err.Error()) > 300 {
				t.Errorf("the error says too much: %v", err)
			}
		})
	}
}
