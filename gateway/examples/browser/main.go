// Browser has players in a browser: a chat whose page signs in, joins by a WebSocket, and talks.
//
//	go run ./examples/browser      in gateway, and then open http://127.0.0.1:8080/?name=alice
//
// page/sallyport.js is the client, one file without dependencies.
package main

import (
	"context"
	"crypto/tls"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/gateway/websocket"
	"github.com/sallyport/sallyport/internal/hosts"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

//go:embed page
var page embed.FS

const help = `Browser has players in a browser: a chat whose page signs in, joins by a WebSocket, and talks. Whoever
asks on this machine plays, under any name. In gateway:

  go run ./examples/browser

and then open http://127.0.0.1:8080/?name=alice in two windows.
`

func main() {
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), help, "\n")
		flag.PrintDefaults()
	}
	listen := flag.String("listen", "127.0.0.1:8080", "TCP `address` of the page, of this machine")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run runs it until ctx is done.
func run(ctx context.Context, address string, stdout io.Writer) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	c, err := newChat("http://"+l.Addr().String(), time.Hour)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	go func() { _ = c.Serve(c.handler()) }() // until Shutdown
	s := websocket.NewServer(c.carrier)
	s.Handler = c.pages()
	go func() { _ = s.Serve(l) }() // until Close
	fmt.Fprintf(stdout, "open %s/?name=alice\n", c.origin)
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(c.Shutdown(end), s.Close())
}

// chat is a match server for browsers, with a login for development: anybody plays under any name.
type chat struct {
	*transport.Server

	origin  string // of its page
	carrier *websocket.Listener
	issuer  *token.Issuer
}

// newChat makes one whose page is at origin and whose identity tokens live so long. Players by UDP, of whom this example has none, would be at Addr.
func newChat(origin string, life time.Duration) (*chat, error) {
	cert, err := dev.NewCertificate()
	if err != nil {
		return nil, err
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: dev.Issuer, Audience: "chat", Life: life})
	if err != nil {
		return nil, err
	}
	verifier, err := token.NewVerifier(issuer.Profile())
	if err != nil {
		return nil, err
	}
	carrier, err := websocket.New(websocket.Config{Origins: []string{origin}, Certificate: func() *tls.Certificate { return &cert }})
	if err != nil {
		return nil, err
	}
	server, err := transport.Listen("127.0.0.1:0", transport.Config{Certificate: cert, Verifier: verifier, Also: carrier})
	if err != nil {
		return nil, errors.Join(err, carrier.Close())
	}
	return &chat{server, origin, carrier, issuer}, nil
}

// handler is the match: what a player says goes to everybody.
func (c *chat) handler() transport.Handler {
	return transport.Handler{Receive: func(p *transport.Player, b []byte) {
		text := fmt.Appendf(nil, "%s: %s", p.Session().Subject(), b)
		_ = c.Broadcast(text[:min(len(text), transport.MaxPayload)])
	}}
}

// pages has the page, the login and the WebSockets.
func (c *chat) pages() *http.ServeMux {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // it is embedded
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; img-src data:; frame-ancestors 'self'")
		http.FileServerFS(files).ServeHTTP(w, r)
	})
	mux.HandleFunc("POST /login", c.login)
	mux.Handle("GET "+websocket.DefaultPath, c.carrier)
	return mux
}

// login gives an identity token to whoever asks. Pages of other sites can neither read the answer nor have a name of
// theirs stand for this machine.
func (c *chat) login(w http.ResponseWriter, r *http.Request) {
	if !hosts.Loopback(r.Host) {
		http.Error(w, "ask for tokens at a loopback address", http.StatusForbidden)
		return
	}
	t, err := c.issuer.Mint(time.Now(), token.Grant{Subject: r.FormValue("name")})
	if err != nil {
		http.Error(w, "give a name: ?name=alice", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/jwt")
	w.Header().Set("Cache-Control", "no-store")
	io.WriteString(w, t) //nolint:errcheck // the player has gone
}
