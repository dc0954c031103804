package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/sallyport/sallyport/examples/internal/arena"
	"github.com/sallyport/sallyport/examples/internal/command"
	"github.com/sallyport/sallyport/token"
)

const help = `Server runs a match: players move about in a square, the server decides where they are.

  go run ./examples/server -dev
  go run ./examples/client -connect 127.0.0.1:7777

Development: -dev makes a self-signed certificate and mints identity tokens for whoever asks at the status address,
which must be a loopback one. What a client needs is written to -dev-file once the server listens, mode 0600:
  {"addr": "127.0.0.1:7777", "ca_pem": "…", "token_url": "http://127.0.0.1:7780/token"}
  curl "http://127.0.0.1:7780/token?subject=alice&scope=arena&platform=go&build=soak&life=10m"

Otherwise bring a certificate and the public keys of the issuer of your players' tokens:
  server -listen :7777 -cert cert.pem -key key.pem -issuer https://id.example.com -audience arena-eu -keys keys.json

Status: GET /healthz answers 200 while the match runs; GET /stats answers one JSON object with sessions,
sessions_peak, datagrams_in, datagrams_out, drops by reason, handshakes, and cpu_us and mallocs of this process.

Signals: interrupt and SIGTERM tell every player that the server shuts down, then end it; SIGHUP reads -cert and -key
again for handshakes to come.

Exit status: 0 stopped by a signal, 1 the match failed, 2 a flag, file or address could not be used.

Flags:
`

// flags is the command line.
type flags struct {
	listen, status, audit string
	tick                  int
	dev                   bool
	devFile               string
	cert, key             string
	issuer, audience      string
	keys, jwks, alg, typ  string
}

// parse reads the command line. Without flags to go on with it returns the exit status.
func parse(args []string, stdout, stderr io.Writer) (*flags, int) {
	f := &flags{}
	set := flag.NewFlagSet("server", flag.ContinueOnError)
	set.StringVar(&f.listen, "listen", "127.0.0.1:7777", "UDP `address` for players")
	set.IntVar(&f.tick, "tick", 60, "ticks a second")
	set.StringVar(&f.status, "status", "127.0.0.1:7780", "HTTP `address` of /healthz and /stats; empty means none")
	set.StringVar(&f.audit, "audit", "", "`file` to which trust decisions are appended, one JSON object a line")
	set.BoolVar(&f.dev, "dev", false, "development: self-signed certificate, built-in issuer")
	set.StringVar(&f.devFile, "dev-file", "sallyport-dev.json", "`file` for what a client needs, with -dev")
	set.StringVar(&f.cert, "cert", "", "PEM `file`: certificate, leaf first")
	set.StringVar(&f.key, "key", "", "PEM `file`: its private key")
	set.StringVar(&f.issuer, "issuer", "", "issuer (iss) of the identity tokens")
	set.StringVar(&f.audience, "audience", "", "audience (aud) that they must name")
	set.StringVar(&f.keys, "keys", "", "PEM or JWK set `file`: the issuer's public keys")
	set.StringVar(&f.jwks, "jwks", "", "`URL` of the issuer's JWK set (not available yet)")
	set.StringVar(&f.alg, "alg", "", "signature `algorithm`: ES256, RS256 or EdDSA; empty means what the keys are for")
	set.StringVar(&f.typ, "typ", "at+jwt", "`type` (typ) of the tokens: at+jwt, or JWT, which may be missing too")
	if status, ok := command.Parse(set, help, args, f.check, stdout, stderr); !ok {
		return nil, status
	}
	return f, exitOK
}

// check says what is wrong with the flags, what is in files aside.
func (f *flags) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q: everything is a flag", rest[0])
	case f.tick < 1 || f.tick > arena.MaxTick:
		return fmt.Errorf("-tick %d: must be 1 to %d", f.tick, arena.MaxTick)
	case f.jwks != "":
		return errors.New("-jwks is not available yet: save the key set to a file and give it with -keys")
	case f.dev && (f.cert != "" || f.key != "" || f.issuer != "" || f.audience != "" || f.keys != ""):
		return errors.New("-dev brings a certificate and an issuer: leave out -cert, -key, -issuer, -audience and -keys")
	case f.dev && f.status == "":
		return errors.New("-dev serves tokens at the status address: -status must not be empty")
	case f.dev:
		return nil
	case f.cert == "" || f.key == "":
		return errors.New("give -cert and -key, or -dev for a development server")
	case f.issuer == "" || f.audience == "" || f.keys == "":
		return errors.New("give -issuer, -audience and -keys, or -dev for a development server")
	case f.alg != "" && !slices.Contains(algorithms, token.Algorithm(f.alg)):
		return fmt.Errorf("-alg %q: must be ES256, RS256 or EdDSA", f.alg)
	}
	return nil
}

// host is the host part of -listen, empty if there is none.
func (f *flags) host() string {
	host, _, _ := net.SplitHostPort(f.listen)
	return host
}
