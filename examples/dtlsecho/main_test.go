package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/plaindtls"
)

// Bad input ends with status 2 and one sentence that says what to do.
func TestUsage(t *testing.T) {
	f := write(t, certificates(t)["ECDSA"])
	other := write(t, certificates(t)["ECDSA"])
	missing := filepath.Join(t.TempDir(), "missing")
	server := []string{"-listen", "127.0.0.1:0", "-cert", f.cert, "-key", f.key}
	with := func(args ...string) []string { return append(server[:len(server):len(server)], args...) }
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"nothing":          {nil, "give -listen for a server, or -connect for a client"},
		"both":             {with("-connect", "127.0.0.1:1"), "give -listen for a server, or -connect"},
		"unknown":          {[]string{"-lisen", ":1"}, "-lisen"},
		"argument":         {with("more"), `unexpected argument "more"`},
		"no certificate":   {[]string{"-listen", ":0"}, "give -cert and -key"},
		"no key":           {[]string{"-listen", ":0", "-cert", f.cert}, "give -cert and -key together"},
		"missing file":     {[]string{"-listen", ":0", "-cert", missing, "-key", f.key}, missing},
		"another's key":    {[]string{"-listen", ":0", "-cert", f.cert, "-key", other.key}, "cannot use -cert"},
		"client auth":      {with("-client-auth", "all"), "must be any or request"},
		"mtu":              {with("-mtu", "255"), "must be 256 to 1500"},
		"large mtu":        {with("-mtu", "1501"), "must be 256 to 1500"},
		"keylog":           {with("-keylog", filepath.Join(missing, "log")), "cannot write -keylog"},
		"address":          {[]string{"-listen", "nowhere", "-cert", f.cert, "-key", f.key}, "cannot listen on -listen nowhere"},
		"ca of a server":   {with("-ca", f.cert), "-ca and -name are for clients"},
		"xor of a client":  {[]string{"-connect", "127.0.0.1:1", "-xor"}, "are for servers"},
		"ca missing":       {[]string{"-connect", "127.0.0.1:1", "-ca", missing}, "cannot read -ca"},
		"ca without any":   {[]string{"-connect", "127.0.0.1:1", "-ca", f.key}, "holds no certificate"},
		"no port":          {[]string{"-connect", "127.0.0.1"}, "give host:port"},
		"client's key":     {[]string{"-connect", "127.0.0.1:1", "-cert", f.cert}, "give -cert and -key together"},
		"no number":        {with("-mtu", "many"), "-mtu"},
		"listen twice":     {[]string{"-listen", busy(t), "-cert", f.cert, "-key", f.key}, "address already in use"},
		"listen, no value": {[]string{"-listen"}, "-listen"},
	} {
		p := launch(t, nil, c.args...)
		code := p.exit(t)
		text := p.stderr.String()
		if code != exitUsage || !strings.Contains(text, c.says) || strings.Count(text, "\n") != 1 || p.stdout.String() != "" {
			t.Errorf("%s: status %d, %q", name, code, text)
		}
	}
}

// busy is an address that somebody else listens on.
func busy(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() }) //nolint:errcheck // a socket
	return conn.LocalAddr().String()
}

func TestHelp(t *testing.T) {
	p := launch(t, nil, "-h")
	if code := p.exit(t); code != exitOK || p.stderr.String() != "" {
		t.Errorf("status %d, %q", code, &p.stderr)
	}
	for _, name := range []string{"-listen", "-connect", "-ca", "-cert", "-key", "-client-auth", "-mtu", "-keylog", "-xor", "Exit status"} {
		if !strings.Contains(p.stdout.String(), name) {
			t.Errorf("help says nothing of %s", name)
		}
	}
}

// The two ends with each other, with client certificates and a key log: every line comes back, in order.
func TestOwnClient(t *testing.T) {
	f := write(t, certificates(t)["ECDSA"])
	log := filepath.Join(t.TempDir(), "keys")
	server, address := serve(t, f, "-client-auth", "request", "-keylog", log)
	lines := strings.Builder{}
	for i := range 300 {
		fmt.Fprintln(&lines, i)
	}
	lines.WriteString("\n" + strings.Repeat("x", plaindtls.MaxPayload-1) + "\nthe last one without its end")
	p := launch(t, strings.NewReader(lines.String()), "-connect", address, "-ca", f.cert, "-cert", f.cert, "-key", f.key)
	if code := p.exit(t); code != exitOK || p.stdout.String() != lines.String()+"\n" {
		t.Errorf("status %d, %q%s", code, &p.stdout, &p.stderr)
	}
	l := server.connection(t)
	if len(l.Exporter) != 64 || len(l.Certificate) != 64 || l.Suite != "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" {
		t.Errorf("printed %+v", l)
	}
	keys, err := os.ReadFile(log)
	if err != nil || strings.Count(string(keys), "CLIENT_RANDOM ") != 1 {
		t.Errorf("key log %q, %v", keys, err)
	}
}

// "[-xor]: each byte xor 0xff".
func TestXor(t *testing.T) {
	f := write(t, certificates(t)["RSA"])
	_, address := serve(t, f, "-xor")
	p := launch(t, strings.NewReader("hello\n"), "-connect", address, "-ca", f.cert)
	if code := p.exit(t); code != exitOK || p.stdout.String() != string(xored("hello\n"))+"\n" {
		t.Errorf("status %d, %q%s", code, &p.stdout, &p.stderr)
	}
}

// What goes wrong on the way is one sentence and status 1.
func TestClientFails(t *testing.T) {
	t.Parallel()
	f := write(t, certificates(t)["ECDSA"])
	_, address := serve(t, f)
	_, port, _ := net.SplitHostPort(address)
	stranger := write(t, certificates(t)["ECDSA"])
	for name, c := range map[string]struct {
		stdin string
		args  []string
		says  string
	}{
		"another authority": {"", []string{"-connect", address, "-ca", stranger.cert}, "-ca"},
		"another name":      {"", []string{"-connect", address, "-ca", f.cert, "-name", "example.com"}, "-name"},
		"system's roots":    {"", []string{"-connect", address}, "-ca"},
		"long line":         {"short\n" + strings.Repeat("x", plaindtls.MaxPayload+1), []string{"-connect", address, "-ca", f.cert}, "line 2 has 1164 bytes"},
		"no such host":      {"", []string{"-connect", "nowhere.invalid:" + port, "-ca", f.cert}, "cannot connect to nowhere.invalid"},
		"nobody there":      {"", []string{"-connect", busy(t), "-ca", f.cert}, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := launch(t, strings.NewReader(c.stdin), c.args...)
			code, text := p.exit(t), p.stderr.String()
			if code != exitFailed || !strings.Contains(text, c.says) || strings.Count(text, "\n") != 1 {
				t.Errorf("status %d, %q", code, text)
			}
		})
	}
}

// A server that is stopped says goodbye, and its client ends; a client that is stopped ends at once.
func TestStopped(t *testing.T) {
	f := write(t, certificates(t)["ECDSA"])
	for _, stopped := range []string{"server", "client"} {
		server, address := serve(t, f)
		stdin, input := io.Pipe()
		p := launch(t, stdin, "-connect", address, "-ca", f.cert)
		go fmt.Fprintln(input, "hello")
		p.stdout.Await(t, "hello")
		begin, want := time.Now(), exitFailed
		if stopped == "client" {
			p.stop()
			want = exitOK
		} else {
			server.stop()
		}
		if code := p.exit(t); code != want || time.Since(begin) > 2*time.Second {
			t.Errorf("%s stopped: status %d after %v, %q", stopped, code, time.Since(begin), &p.stderr)
		}
		input.Close() //nolint:errcheck // a pipe
	}
}
