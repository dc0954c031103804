package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/gateway/internal/carrier"
	"github.com/sallyport/sallyport/gateway/internal/filterfeed"
	"github.com/sallyport/sallyport/gateway/nakama"
	"github.com/sallyport/sallyport/internal/lab/command"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// flags is what the command line and the environment say.
type flags struct {
	set *flag.FlagSet
	env func(string) string

	listen, statusAddress, nakama       string
	statusHosts                         command.List
	cert, key, fleetKeys, audit         string
	pool, clients, use, endpoint        string
	issuer, audience, jwks, alg, typ    string
	unreliable                          string
	maxInput, maxPlayers                int
	sessionLife, hold, stay, checkEvery time.Duration
	remote                              bool
	websocket                           carrier.Flags
	filter                              filterfeed.Flags
}

func newFlags(env func(string) string) *flags {
	f := &flags{set: flag.NewFlagSet("sallyport-gateway", flag.ContinueOnError), env: env}
	s := f.set
	s.StringVar(&f.listen, "listen", gateway.DefaultListen, "UDP `address` for players")
	s.StringVar(&f.statusAddress, "status", "127.0.0.1:7780", "HTTP `address` of /live, /ready and /metrics; empty for none")
	s.Var(&f.statusHosts, "status-hosts", "`names` by which a scraper may ask for /metrics, besides IP addresses and localhost, with commas between")
	s.BoolVar(&f.remote, "remote-metrics", false, "answer /metrics to other machines, too")
	f.websocket.Define(s)
	f.filter.Define(s)
	s.StringVar(&f.nakama, "nakama", "", "`URL` of Nakama's API, as http://127.0.0.1:7350")
	s.StringVar(&f.cert, "cert", "", "`file` with the server's certificate chain, PEM")
	s.StringVar(&f.key, "key", "", "`file` with the private key of -cert, PEM")
	s.StringVar(&f.fleetKeys, "fleet-keys", "", "`file` with the keys that the gateways share, one a line: players resume on any of them")
	s.StringVar(&f.audit, "audit", "", "`file` that the audit is appended to; empty for none")
	s.StringVar(&f.pool, "cognito-pool", "", "`id` of the Amazon Cognito user pool whose tokens players bring")
	s.StringVar(&f.clients, "cognito-clients", "", "`ids` of its app clients, with commas between")
	s.StringVar(&f.use, "cognito-use", "access", "which of Cognito's tokens players bring: access or id")
	s.StringVar(&f.endpoint, "cognito-endpoint", "", "`URL` of the pool, if it is not AWS' usual one")
	s.StringVar(&f.issuer, "issuer", "", "issuer (iss) of the tokens, in place of -cognito-pool")
	s.StringVar(&f.audience, "audience", "", "audience (aud) that tokens of -issuer must name")
	s.StringVar(&f.jwks, "jwks", "", "`URL` of the JWK set of -issuer")
	s.StringVar(&f.alg, "alg", "RS256", "signature `algorithm` of -issuer: RS256, ES256 or EdDSA")
	s.StringVar(&f.typ, "typ", "", "`type` (typ) that tokens of -issuer must have: at+jwt, or JWT, which may be missing too; empty means JWT")
	s.DurationVar(&f.sessionLife, "session-life", time.Hour, "Nakama's session.token_expiry_sec, at most 24h, with the session key")
	s.StringVar(&f.unreliable, "unreliable", "", "op `codes` of broadcasts that may be lost because the next one replaces them, with commas between")
	s.IntVar(&f.maxInput, "max-input", nakama.DefaultMaxInput, "longest input in bytes; Nakama's socket.max_message_size_bytes has to be some 200 more")
	s.IntVar(&f.maxPlayers, "max-players", gateway.DefaultMaxPlayers, "how many may play at once")
	s.DurationVar(&f.hold, "hold", gateway.DefaultHold, "how long players stay while Nakama is away")
	s.DurationVar(&f.checkEvery, "check", nakama.DefaultCheck, "how often it is asked whether a match still runs; negative for never")
	s.DurationVar(&f.stay, "stay", nakama.DefaultStay, "how long a player stays whose WebSocket alone has broken")
	return f
}

// check refuses what cannot be meant.
func (f *flags) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%q is no flag", rest[0])
	case f.nakama == "":
		return errors.New("-nakama is missing")
	case f.cert == "" || f.key == "":
		return errors.New("-cert and -key are missing")
	case f.sessionKey() != "" && (f.pool != "" || f.issuer != "" || f.serverKey() != ""):
		return errors.New("SALLYPORT_NAKAMA_SESSION_KEY says that players come with Nakama sessions: leave out the server key, and -cognito-pool or -issuer")
	case f.sessionKey() == "" && f.serverKey() == "":
		return errors.New("set SALLYPORT_NAKAMA_SERVER_KEY or SALLYPORT_NAKAMA_SESSION_KEY")
	case f.sessionKey() == "" && (f.pool == "") == (f.issuer == ""):
		return errors.New("one of -cognito-pool and -issuer has to be set")
	}
	if err := f.websocket.Check(); err != nil {
		return err
	}
	return f.filter.Check(f.listen)
}

func (f *flags) serverKey() string  { return f.env("SALLYPORT_NAKAMA_SERVER_KEY") }
func (f *flags) sessionKey() string { return f.env("SALLYPORT_NAKAMA_SESSION_KEY") }

// config is the gateway that the flags ask for. closeAudit ends the audit's file.
func (f *flags) config(log *slog.Logger) (c gateway.Config, closeAudit func(), err error) {
	closeAudit = func() {}
	back := nakama.Config{
		URL: f.nakama, ServerKey: f.serverKey(), Secret: []byte(f.env("SALLYPORT_NAKAMA_SECRET")),
		MaxInput: f.maxInput, Stay: f.stay, Check: f.checkEvery, Log: log,
	}
	if back.Unreliable, err = numbers(f.unreliable); err != nil {
		return c, closeAudit, err
	}
	t := transport.Config{Lanes: nakama.Lanes(), Logger: log, Shards: gateway.ShareProcessors()}
	if t.Certificate, err = tls.LoadX509KeyPair(f.cert, f.key); err != nil {
		return c, closeAudit, fmt.Errorf("cannot use -cert and -key: %w", err)
	}
	if t.Session.FleetKeys, err = f.ring(); err != nil {
		return c, closeAudit, err
	}
	if f.sessionKey() != "" {
		if back.Sessions, err = nakama.NewSessions([]byte(f.sessionKey()), f.sessionLife); err != nil {
			return c, closeAudit, fmt.Errorf("cannot use SALLYPORT_NAKAMA_SESSION_KEY: %w", err)
		}
		t.Verifier = back.Sessions
	} else if t.Verifier, err = f.verifier(); err != nil {
		return c, closeAudit, err
	}
	if f.audit != "" {
		if t.Audit, closeAudit, err = openAudit(f.audit); err != nil {
			return c, closeAudit, err
		}
		back.Audit = t.Audit
	}
	b, err := nakama.New(back)
	if err != nil {
		return c, closeAudit, err
	}
	t.Session.Authorize = b.Authorize
	return gateway.Config{
		Listen: f.listen, Transport: t, Backend: b, MaxPlayers: f.maxPlayers, Hold: f.hold, Remote: f.remote, Log: log,
		Hosts: f.statusHosts, Metrics: []prometheus.Collector{b.Collector()},
	}, closeAudit, nil
}

// verifier judges the tokens of the identity provider.
func (f *flags) verifier() (*token.Verifier, error) {
	if f.pool != "" {
		config := token.CognitoConfig{Pool: f.pool, Clients: list(f.clients), Endpoint: f.endpoint}
		switch f.use {
		case "access":
		case "id":
			config.Use = token.CognitoID
		default:
			return nil, fmt.Errorf("-cognito-use must be access or id, not %q", f.use)
		}
		pool, err := token.NewCognito(config)
		if err != nil {
			return nil, err
		}
		return token.NewVerifier(pool.Profiles()...)
	}
	alg, ok := map[string]token.Algorithm{"RS256": token.RS256, "ES256": token.ES256, "EdDSA": token.EdDSA}[f.alg]
	if !ok {
		return nil, fmt.Errorf("-alg must be RS256, ES256 or EdDSA, not %q", f.alg)
	}
	keys, err := token.NewRemoteKeys(token.RemoteConfig{URL: f.jwks, Algorithm: alg})
	if err != nil {
		return nil, err
	}
	profile := token.Profile{Issuer: f.issuer, Audience: list(f.audience), Algorithm: alg, Keys: keys}
	if f.typ != "JWT" {
		profile.Type = f.typ
	}
	return token.NewVerifier(profile)
}

// ring holds the keys of the fleet; nil without any.
func (f *flags) ring() (*fleetkey.Ring, error) {
	if f.fleetKeys == "" {
		return nil, nil //nolint:nilnil // the server makes a key of its own
	}
	keys, err := f.readKeys()
	if err != nil {
		return nil, err
	}
	return fleetkey.NewRing(keys...)
}

func (f *flags) readKeys() ([]fleetkey.Key, error) {
	text, err := os.ReadFile(f.fleetKeys)
	if err != nil {
		return nil, fmt.Errorf("cannot read -fleet-keys: %w", err)
	}
	keys, err := fleetkey.Parse(text)
	clear(text)
	if err == nil && len(keys) == 0 {
		err = errors.New("it holds no key")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use -fleet-keys: %w", err)
	}
	return keys, nil
}

func openAudit(path string) (audit.Sink, func(), error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, func() {}, fmt.Errorf("cannot write -audit: %w", err)
	}
	sink, err := audit.NewJSON(file, audit.JSONConfig{})
	if err != nil {
		return nil, func() {}, errors.Join(err, file.Close())
	}
	return sink, func() {
		sink.Close() //nolint:errcheck // nobody is left to be told
		file.Close() //nolint:errcheck // likewise
	}, nil
}

// list splits at commas.
func list(text string) (out []string) {
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			out = append(out, word)
		}
	}
	return out
}

// numbers reads op codes.
func numbers(text string) (out []int64, err error) {
	for _, word := range list(text) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("-unreliable must be op codes with commas between, not %q", word)
		}
		out = append(out, n)
	}
	return out, nil
}
