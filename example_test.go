package sallyport_test

import (
	"context"
	"crypto/tls"
	"log"
	"os"
	"time"

	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// A match server that ticks 60 times a second: what came since the last tick is
// handled at its beginning, what is sent goes out together at its end.
func Example_server() {
	certificate, err := tls.LoadX509KeyPair("server.crt", "server.key")
	if err != nil {
		log.Fatal(err)
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: "https://login.example", Audience: "match-1"})
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := token.NewVerifier(issuer.Profile())
	if err != nil {
		log.Fatal(err)
	}
	server, err := transport.Listen(":7777", transport.Config{Certificate: certificate, Verifier: verifier})
	if err != nil {
		log.Fatal(err)
	}
	handler := transport.Handler{
		Join:    func(p *transport.Player) { log.Print(p.Session().Subject(), " joined") },
		Receive: func(p *transport.Player, input []byte) { /* move the player */ },
		Leave:   func(p *transport.Player, reason session.Reason) { log.Print(p.Session().Subject(), ": ", reason) },
	}
	for range time.Tick(time.Second / 60) {
		if _, err := server.Poll(handler); err != nil {
			log.Fatal(err)
		}
		server.Broadcast([]byte("snapshot")) // the match's own simulation stands here
		server.Flush()
	}
}

// A client signs in at its identity provider, joins, and talks.
func Example_client() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client, err := transport.Dial(ctx, "match.example:7777", transport.ClientConfig{
		Token: func(context.Context) ([]byte, error) { return os.ReadFile("token.jwt") },
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Send([]byte("forward")); err != nil {
		log.Fatal(err)
	}
	snapshot := make([]byte, client.MaxPayload())
	n, err := client.Receive(ctx, snapshot)
	log.Printf("%q %v", snapshot[:n], err)
	_ = client.Close()
}
