package gameserver

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/sallyport/sallyport/internal/lab/arena"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/transport"
)

// loopbackHandshakes bounds handshakes in development, where all players share the source prefix 127.0.0.0/24 and so
// one budget that is meant for a household: a load test would spend it within a second.
const loopbackHandshakes = 4096

// listen makes the players' end.
func listen(config Config) (*transport.Server, error) {
	c := transport.Config{
		Certificate: config.Certificate, Verifier: config.Verifier, Audit: config.Audit, Snapshot: config.Snapshot,
		KeyLog: config.KeyLog, Logger: config.Log, Lanes: arena.Lanes(),
	}
	c.Session = session.Config{Authorize: config.Authorize, FleetKeys: config.FleetKeys, MaxPerSubject: config.MaxPerSubject}
	if config.Status != "" {
		c.Session.Ping = pingEvery
	}
	if config.Dev != nil {
		c.Session.AllowBearer, c.Session.AllowUnbound = true, config.Dev.Unbound
		c.Sources = policy.SourceConfig{PerSecond: loopbackHandshakes, Burst: loopbackHandshakes}
		c.MaxUnproven = loopbackHandshakes
	}
	game, err := transport.Listen(config.Listen, c)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", config.Listen, err)
	}
	return game, nil
}

// listenStatus makes the operators' end, nil if there is to be none.
func listenStatus(config Config) (net.Listener, error) {
	if config.Status == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", config.Status)
	if err != nil {
		return nil, fmt.Errorf("cannot serve status on %q: %w", config.Status, err)
	}
	if config.Dev != nil && !config.Dev.Public && !isLoopback(l) {
		l.Close() //nolint:errcheck // the sentence below says more
		return nil, errors.New("a development server gives tokens to whoever asks: its status address must be a loopback one, such as 127.0.0.1:7780, unless other machines are to play (-dev-public)")
	}
	return l, nil
}

// isLoopback reports whether only this machine reaches l.
func isLoopback(l net.Listener) bool {
	ap, err := netip.ParseAddrPort(l.Addr().String())
	return err == nil && ap.Addr().IsLoopback()
}
