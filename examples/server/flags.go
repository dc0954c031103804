package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/internal/lab/command"
	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/token"
)

const help = `Server runs a match: players move about in a square, the server decides where they are.

  go run ./examples/server -dev
  go run ./examples/client -connect 127.0.0.1:7777

Development: -dev makes a self-signed certificate and mints identity tokens for whoever asks at the status address,
which must be a loopback one. What a client needs is written to -dev-file once the server listens, mode 0600:
  {"addr": "127.0.0.1:7777", "ca_pem": "…", "token_url": "http://127.0.0.1:7780/token"}
  curl "http://127.0.0.1:7780/token?subject=alice&scope=arena&platform=go&build=soak&life=10m"
With -dev-public other machines of your network play too, and whoever reaches the address plays under any name. GET /dev
answers what the file says; on the other machine:
  server -dev -dev-public -listen 192.168.1.5:7777 -status 192.168.1.5:7780
  client -connect 192.168.1.5:7777 -dev-file http://192.168.1.5:7780/dev

Otherwise bring a certificate (-new-cert makes one for a start), and the public keys of the issuer of your players'
tokens, in a file or published by it, or a user pool of Amazon Cognito; with the last, whoever is signed in may play:
  server -listen :7777 -cert cert.pem -key key.pem -issuer https://id.example.com -audience arena-eu -keys keys.json
  server … -issuer https://id.example.com -audience arena-eu -jwks https://id.example.com/jwks.json -alg RS256
  server … -cognito-pool eu-central-1_AbCdEf123 -cognito-clients 1example23456789

Status: GET / is a page to watch the match, with a button to revoke or ban a player if the address is a loopback one;
GET /metrics is for Prometheus; GET /live and /ready answer 200 or 503 to health checks, GET /healthz 200 while the
match runs; GET /stats answers one JSON object with sessions, sessions_peak, datagrams_in, datagrams_out, drops by
reason, refusals, handshakes, and cpu_us and mallocs of this process. Joins, leaves and refusals are logged to standard
error. What the page's button does, at a loopback address only; "subject" or "token_id" in place of "session" revokes a
player or a token, and /ban with "session" and "for": "24h" keeps a player out:
  curl -H "Sallyport-Admin: revoke" -H "Content-Type: application/json" -d '{"session": 7}' http://127.0.0.1:7780/revoke

Restarts: with -snapshot the server hands its players on when it is stopped, and the next one that starts on the same
-listen address within 30 s goes on with them. They notice nothing but the pause; nobody negotiates or signs in again.
Servers with the same -fleet-keys are a fleet: a player whose connection is lost comes back to any of them by ticket.
  (umask 077; server -new-fleet-key > fleet.keys)
  server … -fleet-keys fleet.keys -snapshot sallyport.snapshot
The first key of the file seals, all of them open. To change it: append a new one on every server, then move it to the top
on every server, and drop the old one a day later. With -dev the next process has another certificate and issuer: players
who are there go on, and tickets are of no use.

Debugging: -keylog appends the secrets of every connection, in NSS key log format, with which Wireshark decrypts the
players' traffic (Preferences, Protocols, TLS, "(Pre)-Master-Secret log filename"; then decode the port as DTLS). Whoever
reads that file reads all traffic, captured in the past too: the file is made with mode 0600, and a link is refused.

Signals: interrupt and SIGTERM tell every player that the server shuts down, or with -snapshot hand them on, then end it;
SIGHUP reads -cert and -key again for handshakes to come, and -fleet-keys for tickets and snapshots to come, and opens
-audit again, which may have been renamed.

Exit status: 0 stopped by a signal, 1 the match failed or nobody could be handed on, 2 a flag, file or address could not be
used.

Flags:
`

// flags is the command line.
type flags struct {
	listen, status, audit string
	statusHosts           command.List
	auditKey, keylog      string
	tick, eventsMax       int
	revokeAfter           time.Duration
	fleet                 fleetFlags
	dev                   bool
	devPublic, devUnbound bool
	devFile               string
	newCert               string
	cert, key             string
	issuer, audience      string
	keys, jwks, alg, typ  string

	cognitoPool, cognitoClients, cognitoEndpoint string
}

// define defines every flag.
func (f *flags) define(set *flag.FlagSet) {
	set.StringVar(&f.listen, "listen", "127.0.0.1:7777", "UDP `address` for players")
	set.IntVar(&f.tick, "tick", 60, "ticks a second")
	set.StringVar(&f.status, "status", "127.0.0.1:7780", "HTTP `address` of the status page; empty means none")
	set.Var(&f.statusHosts, "status-hosts", "`names` by which the page and /metrics may be asked for, besides IP addresses and localhost, with commas between")
	set.StringVar(&f.audit, "audit", "", "`file` to which trust decisions are appended, one JSON object a line")
	set.StringVar(&f.auditKey, "audit-key", "", "PEM `file` with an Ed25519 key (sallyport audit keygen): makes a signed chain of the lines of -audit")
	set.StringVar(&f.keylog, "keylog", "", "`file` to which the secrets of all connections are appended, for Wireshark: for debugging only")
	f.fleet.define(set)
	set.IntVar(&f.eventsMax, "events-max", gameserver.DefaultEvents, "how many decisions are kept for the status page")
	set.DurationVar(&f.revokeAfter, "revoke-after", 0, "revoke each session after that `time`, to see it; 0 means never")
	set.BoolVar(&f.dev, "dev", false, "development: self-signed certificate, built-in issuer")
	set.BoolVar(&f.devPublic, "dev-public", false, "with -dev: let other machines play, under any name; put its own address into -listen and -status")
	set.BoolVar(&f.devUnbound, "dev-unbound", false, "with -dev: accept clients whose DTLS library hides the exporter (binding mode none)")
	set.StringVar(&f.newCert, "new-cert", "", "write a self-signed certificate for these `hosts`, with commas between, to -cert and -key (cert.pem and key.pem), and do nothing else")
	set.StringVar(&f.devFile, "dev-file", "sallyport-dev.json", "`file` for what a client needs, with -dev")
	set.StringVar(&f.cert, "cert", "", "PEM `file`: certificate, leaf first")
	set.StringVar(&f.key, "key", "", "PEM `file`: its private key")
	set.StringVar(&f.issuer, "issuer", "", "issuer (iss) of the identity tokens")
	set.StringVar(&f.audience, "audience", "", "audience (aud) that they must name")
	set.StringVar(&f.keys, "keys", "", "PEM or JWK set `file`: the issuer's public keys")
	set.StringVar(&f.jwks, "jwks", "", "`URL` of the issuer's JWK set, in place of -keys")
	set.StringVar(&f.alg, "alg", "", "signature `algorithm`: ES256, RS256 or EdDSA; empty means what -keys are for, RS256 with -jwks")
	set.StringVar(&f.typ, "typ", "at+jwt", "`type` (typ) of the tokens: at+jwt, or JWT, which may be missing too")
	set.StringVar(&f.cognitoPool, "cognito-pool", "", "user `pool` of Amazon Cognito, in place of -issuer, -audience and -keys")
	set.StringVar(&f.cognitoClients, "cognito-clients", "", "`ids` of its app clients whose players are admitted, with commas between")
	set.StringVar(&f.cognitoEndpoint, "cognito-endpoint", "", "`URL` of an emulator or another partition; empty means Amazon's")
}

// parse reads the command line. Without flags to go on with it returns the exit status.
func parse(args []string, stdout, stderr io.Writer) (*flags, int) {
	f := &flags{}
	set := flag.NewFlagSet("server", flag.ContinueOnError)
	f.define(set)
	if status, ok := command.Parse(set, help, args, f.check, stdout, stderr); !ok {
		return nil, status
	}
	return f, exitOK
}

// check returns an error for flags that cannot be used. It does not read files.
func (f *flags) check(rest []string) error {
	if err := command.NoRest(rest); err != nil {
		return err
	}
	switch {
	case f.tick < 1 || f.tick > arena.MaxTick:
		return fmt.Errorf("-tick %d: must be 1 to %d", f.tick, arena.MaxTick)
	case f.eventsMax < 1 || f.eventsMax > audit.MaxRecent:
		return fmt.Errorf("-events-max %d: must be 1 to %d", f.eventsMax, audit.MaxRecent)
	case f.auditKey != "" && f.audit == "":
		return errors.New("-audit-key goes with -audit")
	case f.revokeAfter < 0:
		return fmt.Errorf("-revoke-after %v: must not be less than nothing", f.revokeAfter)
	}
	if err := f.fleet.check(); err != nil || f.fleet.newKey {
		return err
	}
	switch {
	case f.newCert != "":
		return nil
	case !f.dev && (f.devPublic || f.devUnbound):
		return errors.New("-dev-public and -dev-unbound go with -dev")
	case f.dev:
		return f.checkDev()
	case f.cert == "" || f.key == "":
		return errors.New("give -cert and -key, or -dev for a development server")
	}
	return f.checkIssuer()
}

func (f *flags) checkDev() error {
	if f.cert+f.key+f.issuer+f.audience+f.keys+f.jwks+f.cognitoPool != "" {
		return errors.New("-dev brings a certificate and an issuer: leave out -cert, -key, -issuer, -audience, -keys, -jwks and -cognito-pool")
	}
	if f.status == "" {
		return errors.New("-dev serves tokens at the status address: -status must not be empty")
	}
	return nil
}

// checkIssuer wants exactly one: a file of keys, a URL of keys, or a user pool.
func (f *flags) checkIssuer() error {
	switch {
	case f.cognitoPool != "" && f.issuer+f.audience+f.keys+f.jwks != "":
		return errors.New("-cognito-pool knows its issuer and keys: leave out -issuer, -audience, -keys and -jwks")
	case f.cognitoPool == "" && f.cognitoClients+f.cognitoEndpoint != "":
		return errors.New("-cognito-clients and -cognito-endpoint go with -cognito-pool")
	case f.cognitoPool != "" && f.cognitoClients == "":
		return errors.New("-cognito-pool: give the ids of its app clients by -cognito-clients")
	case f.cognitoPool != "":
		return nil
	case f.issuer == "" || f.audience == "" || (f.keys == "") == (f.jwks == ""):
		return errors.New("give -issuer, -audience and one of -keys and -jwks, or -cognito-pool, or -dev for a development server")
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
