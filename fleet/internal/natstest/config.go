package natstest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Config is one server.
type Config struct {
	// Dir is the server's folder, which must exist. A server that is started again with the same
	// folder has the same store.
	Dir string
	// Name is the server's name in a cluster.
	Name string
	// Port is the TCP port for clients on 127.0.0.1; 0 means any free one.
	Port int
	// RoutePort is the port for the other servers of the cluster, and Routes are theirs. No routes
	// mean a server by itself.
	RoutePort int
	Routes    []int
	// Extra is appended to the configuration file: TLS, users and permissions.
	Extra string
}

func (c Config) store() string { return filepath.Join(c.Dir, "store") }
func (c Config) file() string  { return filepath.Join(c.Dir, "nats.conf") }
func (c Config) log() string   { return filepath.Join(c.Dir, "nats.log") }

// write writes the configuration file. Clients are told of no other server's address, so that a Line
// is the only way they know.
func (c Config) write() error {
	port := c.Port
	if port == 0 {
		port = -1
	}
	var b strings.Builder
	fmt.Fprintf(&b, "server_name: %q\nlisten: \"127.0.0.1:%d\"\nlog_file: %q\nmax_payload: 1MB\n", c.Name, port, c.log())
	fmt.Fprintf(&b, "jetstream {\n  store_dir: %q\n  sync_interval: always\n}\n", c.store())
	if len(c.Routes) > 0 {
		fmt.Fprintf(&b, "cluster {\n  name: fleet\n  listen: \"127.0.0.1:%d\"\n  no_advertise: true\n  routes: [\n", c.RoutePort)
		for _, r := range c.Routes {
			fmt.Fprintf(&b, "    \"nats://127.0.0.1:%d\"\n", r)
		}
		b.WriteString("  ]\n}\n")
	}
	b.WriteString(c.Extra)
	return os.WriteFile(c.file(), []byte(b.String()), 0o600)
}

// TLS is an Extra: the server shows a certificate, and wants one that ca has signed. All three are
// files in PEM.
func TLS(certificate, key, ca string) string {
	return fmt.Sprintf("tls {\n  cert_file: %q\n  key_file: %q\n  ca_file: %q\n  verify: true\n}\n", certificate, key, ca)
}
