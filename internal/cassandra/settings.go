package cassandra

import (
	"crypto/rand"
	_ "embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"text/template"
)

//go:embed cassandra.yaml.tmpl
var yamlText string

var yaml = template.Must(template.New("cassandra.yaml").Parse(yamlText))

//go:embed logback.xml
var logback []byte

// settings is what the configuration files of a node say.
type settings struct {
	IP, ReportedIP       string
	CQLPort, StoragePort int
	Seeds                string // addresses of all nodes: a seed waits for nobody
	TokenCount           int
	Tokens               string
	Dir                  string
	Datacenter, Rack     string
}

// write writes the configuration files.
func (s settings) write() error {
	if err := os.MkdirAll(filepath.Join(s.Dir, "tmp"), 0o700); err != nil {
		return err
	}
	var b strings.Builder
	if err := yaml.Execute(&b, s); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"cassandra.yaml":    b.String(),
		"rackdc.properties": fmt.Sprintf("dc=%s\nrack=%s\n", s.Datacenter, s.Rack),
		"logback.xml":       string(logback),
	} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

const tokensPerNode = 4

// tokens returns the tokens of the node with this index. They are fixed, so that nodes can start together without a clash, and
// multiples of the golden ratio, which lie evenly but not regularly around the ring.
func tokens(node int) string {
	list := make([]string, tokensPerNode)
	for i := range list {
		token := uint64(node*tokensPerNode+i+1) * 0x9E3779B97F4A7C15
		list[i] = strconv.FormatInt(int64(token), 10)
	}
	return strings.Join(list, ",")
}

// addresses finds n loopback addresses and two ports that are free on each.
func addresses(n int) (ips []string, cqlPort, storagePort int, err error) {
	const attempts = 20
	for range attempts {
		subnet := "127.0.0"
		if runtime.GOOS == "linux" { // all of 127.0.0.0/8 is there without being configured
			var b [2]byte
			rand.Read(b[:])
			subnet = fmt.Sprintf("127.%d.%d", 1+b[0]%254, b[1])
		}
		ips = nil
		for i := range n {
			ips = append(ips, fmt.Sprintf("%s.%d", subnet, i+1))
		}
		if cqlPort, err = freePort(ips); err != nil {
			continue
		}
		if storagePort, err = freePort(ips); err == nil && storagePort != cqlPort {
			return ips, cqlPort, storagePort, nil
		}
	}
	return nil, 0, 0, fmt.Errorf("no port is free on each of %s: %w", strings.Join(ips, ", "), err)
}

// freePort finds a port that nobody listens on at any of the addresses.
func freePort(ips []string) (port int, err error) {
	for _, ip := range ips {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
		if err != nil {
			return 0, err
		}
		defer l.Close()
		port = l.Addr().(*net.TCPAddr).Port
	}
	return port, nil
}

// reported returns the address that a node with this IP tells its clients about. No node has it.
func reported(ip string) string {
	last := strings.LastIndexByte(ip, '.')
	return ip[:last] + ".10" + ip[last+1:]
}
