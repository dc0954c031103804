//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"sync/atomic"
	"time"

	"github.com/pion/dtls/v2/pkg/crypto/selfsign"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// serverName is what the server's certificate is for; issuerName mints, and
// audienceName is who takes, the identity tokens.
const (
	serverName   = "localhost"
	issuerName   = "https://issuer.example"
	audienceName = "server.example"
)

// unlimited is a rate and a burst that no load here reaches. The checks run.
const unlimited = 1_000_000_000

// anything is behaviour that no load here exceeds. It is looked at all the same.
var anything = policy.BehaviourConfig{
	Datagrams: unlimited, DatagramBurst: unlimited, Bytes: unlimited, ByteBurst: unlimited,
	Flag: 1 << 24, Limit: 1 << 24, Revoke: 1 << 24,
}

func serveSallyport(j *job, n *counters) (endpoint, error) {
	return serveSessions(j, n, verified)
}

// verified takes identity tokens for what they are.
func verified(v *token.Verifier) transport.Verifier { return v }

func serveUnverified(j *job, n *counters) (endpoint, error) {
	return serveSessions(j, n, func(*token.Verifier) transport.Verifier { return believer{} })
}

func serveSessions(j *job, n *counters, judge func(*token.Verifier) transport.Verifier) (endpoint, error) {
	s, e, err := listenSallyport(judge, nil)
	if err != nil {
		return endpoint{}, err
	}
	m := &match{job: j, counts: n, server: s}
	go m.run()
	return e, nil
}

// listenSallyport makes a server with a certificate and an issuer of its own.
func listenSallyport(judge func(*token.Verifier) transport.Verifier, lanes []transport.Lane) (*transport.Server, endpoint, error) {
	var e endpoint
	cert, err := selfsign.GenerateSelfSignedWithDNS(serverName)
	if err != nil {
		return nil, e, err
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: issuerName, Audience: audienceName})
	if err != nil {
		return nil, e, err
	}
	verifier, err := token.NewVerifier(issuer.Profile())
	if err != nil {
		return nil, e, err
	}
	if e.Issuer, err = issuer.Key().PEM(); err != nil {
		return nil, e, err
	}
	config := matchConfig(cert, judge(verifier))
	config.Lanes = lanes
	s, err := transport.Listen("127.0.0.1:0", config)
	if err != nil {
		return nil, e, err
	}
	e.Addr, e.Root = s.Addr().String(), cert.Certificate[0]
	return s, e, nil
}

// matchConfig is the default, with room for a whole load from one address.
func matchConfig(cert tls.Certificate, v transport.Verifier) transport.Config {
	return transport.Config{
		Certificate: cert, Verifier: v, MaxUnproven: 1 << 16,
		Session: session.Config{Behaviour: anything, Idle: 24 * time.Hour},
		Sources: policy.SourceConfig{PerSecond: unlimited, Burst: unlimited},
	}
}

// match is the game: it says what it hears.
type match struct {
	job    *job
	counts *counters
	server *transport.Server
	joined atomic.Int64
}

func (m *match) run() {
	h := transport.Handler{
		Join:    func(*transport.Player) { m.joined.Add(1) },
		Receive: m.receive,
	}
	if m.job.Work != "paced" {
		_ = m.server.Serve(h) // ends with the process
		return
	}
	for m.joined.Load() < int64(m.job.Players) {
		m.tick(h) // more often, as long as handshakes wait for it
		time.Sleep(time.Millisecond)
	}
	for range time.Tick(time.Second / hertz) {
		m.tick(h)
	}
}

func (m *match) tick(h transport.Handler) {
	if _, err := m.server.Poll(h); err != nil {
		m.counts.failed.Add(1)
	}
	m.server.Flush()
}

func (m *match) receive(p *transport.Player, payload []byte) {
	m.counts.received.Add(1)
	if m.job.sink() {
		return
	}
	if err := p.Send(payload); err != nil {
		m.counts.failed.Add(1)
		return
	}
	m.counts.sent.Add(1)
}

// believer takes any token, for a subject of its own.
type believer struct{}

// Verify implements transport.Verifier.
func (believer) Verify(_ context.Context, now time.Time, raw []byte) (*token.Claims, error) {
	sum := sha256.Sum256(raw)
	id := hex.EncodeToString(sum[:])
	return &token.Claims{Issuer: issuerName, Subject: id, ID: id, Expires: now.Add(time.Hour)}, nil
}

// trust is what a client needs to believe the server and to sign players in.
type trust struct {
	roots  *x509.CertPool
	issuer *token.Issuer
}

func newTrust(e *endpoint) (*trust, error) {
	roots, err := e.roots()
	if err != nil {
		return nil, err
	}
	key, err := token.ParseSigningKey(e.Issuer)
	if err != nil {
		return nil, err
	}
	t := &trust{roots: roots}
	t.issuer, err = token.NewIssuer(token.IssuerConfig{Issuer: issuerName, Audience: audienceName, Key: key})
	return t, err
}

// roots vouch for the endpoint.
func (e *endpoint) roots() (*x509.CertPool, error) {
	root, err := x509.ParseCertificate(e.Root)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return pool, nil
}

// nextPlayer numbers subjects: each signs in once.
var nextPlayer atomic.Uint64
