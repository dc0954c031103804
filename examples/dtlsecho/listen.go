package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/sallyport/sallyport/internal/plaindtls"
)

// line is what is printed of a connection.
type line struct {
	Addr        string `json:"addr"`
	Exporter    string `json:"exporter"`
	Suite       string `json:"suite"`
	Certificate string `json:"certificate,omitempty"`
}

func lineOf(c *plaindtls.Conn) line {
	exporter := c.Exporter()
	l := line{Addr: c.Addr().String(), Exporter: hex.EncodeToString(exporter[:]), Suite: c.Suite().String()}
	if peer := c.PeerCertificates(); len(peer) > 0 {
		sum := sha256.Sum256(peer[0])
		l.Certificate = hex.EncodeToString(sum[:])
	}
	return l
}

// listen is the server, until ctx is done.
func listen(ctx context.Context, f *flags, config plaindtls.Config, stdout, stderr io.Writer) int {
	server, err := plaindtls.Listen(f.listen, config)
	if err != nil {
		return complain(stderr, exitUsage, fmt.Errorf("cannot listen on -listen %s: %w", f.listen, err))
	}
	fmt.Fprintf(stderr, "dtlsecho: listening on %v\n", server.Addr())
	fmt.Fprintln(stdout, "ready")
	stop := context.AfterFunc(ctx, func() { server.Close() }) //nolint:errcheck // Serve says that it is over
	err = server.Serve(handler(f.xor, stdout))
	if stop() {
		server.Close() //nolint:errcheck // err says more
	}
	if !errors.Is(err, net.ErrClosed) {
		return complain(stderr, exitFailed, err)
	}
	return exitOK
}

// handler prints a line for each connection and echoes.
func handler(xor bool, stdout io.Writer) plaindtls.Handler {
	var mu sync.Mutex
	lines := json.NewEncoder(stdout)
	return plaindtls.Handler{
		Connect: func(c *plaindtls.Conn) {
			mu.Lock()
			defer mu.Unlock()
			lines.Encode(lineOf(c)) //nolint:errcheck // nobody reads
		},
		Receive: func(c *plaindtls.Conn, payload []byte) {
			if xor {
				for i := range payload {
					payload[i] ^= 0xff
				}
			}
			c.Send(payload) //nolint:errcheck // what fits one way fits the other
		},
	}
}

// onLoopback tells whether an address to listen on is for this host alone.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	addr, bad := netip.ParseAddr(host)
	return err == nil && (host == "localhost" || bad == nil && addr.IsLoopback())
}
