// Server is the smallest match server: players walk in a square, and 60 times a second each is told
// where all are. It runs until Ctrl-C.
//
//	go run ./examples/minimal/server
//	go run ./examples/minimal/client    # in another terminal
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// loginAddress is where the client signs in. A variable, since the test has one of its own.
var loginAddress = "127.0.0.1:7790"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal("server: ", err)
	}
}

func run(ctx context.Context) error {
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: "https://login.example", Audience: "match-1"})
	if err != nil {
		return err
	}
	verifier, err := token.NewVerifier(issuer.Profile())
	if err != nil {
		return err
	}
	server, err := transport.Listen("127.0.0.1:0", transport.Config{Certificate: certificate, Verifier: verifier, Shards: 1})
	if err != nil {
		return err
	}
	pin := sha256.Sum256(certificate.Certificate[0])
	l, err := net.Listen("tcp", loginAddress)
	if err != nil {
		return err
	}
	go http.Serve(l, login(issuer, server.Addr().String(), pin)) //nolint:errcheck // ends with the program
	log.Printf("login %v, players %v, certificate %x", l.Addr(), server.Addr(), pin)
	return play(ctx, server)
}

// login answers with the server's address, the pin of its certificate, and a token for the name that
// the client states. A real login speaks HTTPS and asks for a password.
func login(issuer *token.Issuer, address string, pin [32]byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		t, err := issuer.Mint(time.Now(), token.Grant{Subject: r.FormValue("name")})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"address": address, "pin": pin, "token": t}) //nolint:errcheck // it has gone
	}
}

// selfSigned makes a certificate that no authority signs: clients compare its SHA-256.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().AddDate(0, 1, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
