package dev

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/internal/hosts"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// Issuer is the issuer of a Login's tokens.
const Issuer = "sallyport-dev"

// DefaultAddress is where a Login answers unless its Config says otherwise.
const DefaultAddress = "127.0.0.1:7790"

// ErrConfig is matched by every error about a Config. The text names the field.
var ErrConfig = errors.New("dev: bad configuration")

// Config says where a Login answers. The zero value works.
type Config struct {
	// Address is the TCP address of the login; empty means DefaultAddress. Unless Public is set it
	// must be a loopback one.
	Address string

	// Public lets other machines sign in, such as those of one's own LAN. Each of them can play
	// under any name.
	Public bool

	// Hosts are names and IP addresses that the certificate is for, besides those of loopback.
	// Clients that SignIn trust the certificate itself, and need none.
	Hosts []string
}

// Login is a login without passwords, with the certificate and the issuer that belong to it. Its
// methods are safe for concurrent use.
type Login struct {
	public      bool
	certificate tls.Certificate
	issuer      *token.Issuer
	listener    net.Listener
}

// NewLogin listens at c.Address and logs a warning with slog that anybody may sign in there. Errors
// about c match ErrConfig.
func NewLogin(c Config) (*Login, error) {
	address := c.Address
	if address == "" {
		address = DefaultAddress
	}
	certificate, err := NewCertificate(c.Hosts...)
	if err != nil {
		return nil, err
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: Issuer, Audience: "sallyport-dev"})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w: Address: %w", ErrConfig, err)
	}
	l := &Login{public: c.Public, certificate: certificate, issuer: issuer, listener: listener}
	if !c.Public && !l.Addr().Addr().IsLoopback() {
		listener.Close() //nolint:errcheck // the sentence below says more
		return nil, fmt.Errorf("%w: Address: other machines reach %v, and this login gives a token to whoever asks: use %s, or set Public",
			ErrConfig, l.Addr(), DefaultAddress)
	}
	slog.Warn("DEVELOPMENT LOGIN: it gives a token to whoever asks, under any name", "address", l.Addr(), "public", c.Public)
	return l, nil
}

// Addr returns the address of the login.
func (l *Login) Addr() netip.AddrPort { return l.listener.Addr().(*net.TCPAddr).AddrPort() }

// Config returns what transport.Listen needs: the certificate, and a verifier that accepts the
// login's tokens and no others. Set whatever else the game wants.
func (l *Login) Config() transport.Config {
	verifier, err := token.NewVerifier(l.issuer.Profile())
	if err != nil {
		panic("dev: " + err.Error()) // NewIssuer has checked the profile
	}
	return transport.Config{Certificate: l.certificate, Verifier: verifier}
}

// Serve answers players until Close, and tells them that the match server is at players, which is
// its Addr: if that names no host, they get the one at which they have found the login. The error
// is net.ErrClosed after Close.
func (l *Login) Serve(players netip.AddrPort) error {
	s := http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.answer(w, r, players) }),
		ReadHeaderTimeout: requestTime, ReadTimeout: requestTime, WriteTimeout: requestTime, MaxHeaderBytes: 1 << 14,
	}
	return s.Serve(l.listener)
}

// Close ends Serve. Tokens that have been given stay good.
func (l *Login) Close() error { return l.listener.Close() }

// ticket is the login's answer.
type ticket struct {
	Address string `json:"address"` // of the match server
	Pin     string `json:"pin"`     // SHA-256 of its certificate, in hex
	Token   string `json:"token"`   // good for one connection
}

// answer is GET /?name=… . A web page in a browser on this machine could ask as well, if it has its
// own name resolve to loopback: the Host that the browser then sends gives it away.
func (l *Login) answer(w http.ResponseWriter, r *http.Request, players netip.AddrPort) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if !l.public && !hosts.Loopback(r.Host) {
		http.Error(w, "this login answers at a loopback address only", http.StatusForbidden)
		return
	}
	t, err := l.issuer.Mint(time.Now(), token.Grant{Subject: r.FormValue("name")})
	if err != nil {
		http.Error(w, "give a name: ?name=alice", http.StatusBadRequest)
		return
	}
	if !players.Addr().IsUnspecified() {
		host = players.Addr().String()
	}
	pin := sha256.Sum256(l.certificate.Certificate[0])
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(ticket{ //nolint:errcheck // the player has gone
		Address: net.JoinHostPort(host, fmt.Sprint(players.Port())), Pin: hex.EncodeToString(pin[:]), Token: t,
	})
}
