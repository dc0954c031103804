package nakamabridge

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/aging"
	"github.com/sallyport/sallyport/internal/matchdata"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// issuerName is iss and audience aud of the RPC's tokens. Their key is fresh in each process, so
// that no other takes them.
const (
	issuerName = "urn:sallyport:nakamabridge"
	audience   = "urn:sallyport:nakamabridge:udp"
)

// Bridge joins one Nakama server and one UDP server. Its methods are safe for concurrent use.
type Bridge struct {
	config  Config            // constant, as all down to closing
	server  *transport.Server // of all matches
	issuer  *token.Issuer     // of the RPC's tokens
	contact contact
	cancel  context.CancelFunc
	closing context.Context

	users     *aging.Map[string]    // custom id → user id
	customIDs *aging.Map[string]    // user id → custom id
	profiles  *aging.Map[profile]   // user id → profile of a UDP-only player at its last RPC
	revoked   *aging.Map[time.Time] // user id → when
	newcomers chan string           // user ids for patrol

	counts struct{ inputs, overflow, malformed, orphaned, oversized, undelivered, behind atomic.Uint64 }

	wg sync.WaitGroup // Serve, patrol, shutdown, and one watch for each match; Close waits

	mu sync.Mutex // lock order: Bridge.mu, then inbox.mu
	// +checklocks:mu
	matches map[string]*match // by match id
	// +checklocks:mu
	members map[string]map[*member]struct{} // by user id
}

// contact is the part of the RPC's answer that is the same for every client.
type contact struct{ address, pin, certificate string }

// New opens the UDP port and serves it until ctx ends, which for InitModule's context is when
// Nakama stops, or until Close. The error is ErrConfig, or the port's.
func New(ctx context.Context, config Config) (*Bridge, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Bridge{
		config: config,
		users:  aging.New[string](maxKnown / 2), customIDs: aging.New[string](maxKnown / 2),
		profiles: aging.New[profile](maxKnown / 2), revoked: aging.New[time.Time](maxKnown / 2),
		newcomers: make(chan string, accountBatch),
		matches:   make(map[string]*match), members: make(map[string]map[*member]struct{}),
	}
	b.issuer, err = token.NewIssuer(token.IssuerConfig{Issuer: issuerName, Audience: audience, Life: config.TokenLife})
	if err != nil {
		return nil, err
	}
	if err := b.listen(); err != nil {
		return nil, err
	}
	b.closing, b.cancel = context.WithCancel(ctx)
	b.wg.Go(b.serve)
	b.wg.Go(b.patrol)
	b.wg.Go(b.shutdown)
	return b, nil
}

// listen opens the port and sets contact.
func (b *Bridge) listen() error {
	verifier, err := token.NewVerifier(b.issuer.Profile())
	if err != nil {
		return err
	}
	cert := b.config.Certificate
	if len(cert.Certificate) == 0 {
		if cert, err = selfSigned(time.Now(), b.host()); err != nil {
			return err
		}
	}
	stay := b.config.Session
	stay.Authorize = b.admission
	b.server, err = transport.Listen(b.config.Address, transport.Config{
		Certificate: cert, Verifier: verifier, Session: stay, Conn: b.config.Conn, Audit: b.config.Audit,
		Lanes: matchdata.Lanes(),
	})
	if err != nil {
		return err
	}
	pin := sha256.Sum256(cert.Certificate[0])
	b.contact = contact{
		address: cmp.Or(b.config.Public, b.server.Addr().String()), pin: hex.EncodeToString(pin[:]),
		certificate: base64.StdEncoding.EncodeToString(cert.Certificate[0]),
	}
	return nil
}

// host returns the host name for a certificate made here: the one that clients dial.
func (b *Bridge) host() string {
	public := cmp.Or(b.config.Public, b.config.Address)
	if b.config.Public == "" && b.config.Conn != nil {
		public = b.config.Conn.LocalAddr().String()
	}
	host, _, err := net.SplitHostPort(public)
	if err != nil {
		return public
	}
	return host
}

func (b *Bridge) serve() {
	err := b.server.Serve(transport.Handler{Join: b.join, Receive: b.receive, Message: b.message, Leave: b.leave})
	if !errors.Is(err, transport.ErrServerClosed) {
		b.config.Logger.Error("nakamabridge: the UDP server stopped: %v", err)
	}
}

// shutdown waits for the end of ctx and disconnects the players.
func (b *Bridge) shutdown() {
	<-b.closing.Done()
	if err := b.server.Shutdown(context.Background()); err != nil { // turns are short, because no handler here blocks
		b.config.Logger.Warn("nakamabridge: %v", err)
	}
}

// hold has what is sent until release go out together. The game's own code does not run meanwhile: what the players of
// every match are owed waits, too.
func (b *Bridge) hold() {
	if b.server != nil {
		b.server.Hold()
	}
}

func (b *Bridge) release() {
	if b.server != nil {
		b.server.Release()
	}
}

// Close tells the players that the server stops, closes the port, and returns when nothing of the
// Bridge runs any more. A second call does nothing.
func (b *Bridge) Close() {
	b.mu.Lock()
	b.cancel() // a match that begins has begun before, or sees that it is too late
	b.mu.Unlock()
	b.wg.Wait()
}

// Addr returns the address that the Bridge listens on.
func (b *Bridge) Addr() netip.AddrPort { return b.server.Addr() }

// Stats counts the events of a Bridge since New.
type Stats struct {
	Transport transport.Stats `json:"transport"`
	Inputs    uint64          `json:"inputs"`    // inputs put into a match's queue
	Overflow  uint64          `json:"overflow"`  // refused, because the queue was full or the match is over
	Malformed uint64          `json:"malformed"` // refused, because the op code did not parse
	Orphaned  uint64          `json:"orphaned"`  // refused in the tick: their sender is not in the match, or no longer

	Oversized   uint64 `json:"oversized"`   // broadcasts too large for the UDP of a player who should have got them that way: sockets got them
	Undelivered uint64 `json:"undelivered"` // and those of them that a player without a socket did not get
	Behind      uint64 `json:"behind"`      // sessions ended because too many reliable broadcasts waited for the player
}

// Stats returns the counts since New.
func (b *Bridge) Stats() Stats {
	return Stats{
		Transport: b.server.Stats(), Inputs: b.counts.inputs.Load(), Overflow: b.counts.overflow.Load(),
		Malformed: b.counts.malformed.Load(), Orphaned: b.counts.orphaned.Load(),
		Oversized: b.counts.oversized.Load(), Undelivered: b.counts.undelivered.Load(), Behind: b.counts.behind.Load(),
	}
}

// open puts a match that begins into the table, until its context ends. It does nothing when the
// Bridge is closing.
func (b *Bridge) open(ctx context.Context, m *match) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing.Err() != nil {
		return
	}
	b.matches[m.id] = m
	b.wg.Go(func() {
		select {
		case <-ctx.Done():
		case <-b.closing.Done():
		}
		b.retire(m)
		m.inbox.disband(b.stopped())
	})
}

// stopped returns the reason and the detail for the players of a match that Nakama has stopped. If
// it does so because the server stops, the context of the Bridge ends next.
func (b *Bridge) stopped() (session.Reason, string) {
	settle := time.NewTimer(stopSettle)
	defer settle.Stop()
	select {
	case <-b.closing.Done():
		return session.ReasonShutdown, ""
	case <-settle.C:
		return session.ReasonLeft, matchOver
	}
}

// retire takes a match out of the table, and admits nobody to it any more.
func (b *Bridge) retire(m *match) {
	b.mu.Lock()
	if b.matches[m.id] == m {
		delete(b.matches, m.id)
	}
	b.mu.Unlock()
	m.inbox.close()
	m.seats.finish()
}

// unreliable reports whether reliable broadcasts with this op code may be lost.
func (b *Bridge) unreliable(op int64) bool {
	return b.config.Unreliable != nil && b.config.Unreliable(op)
}

func (b *Bridge) match(id string) *match {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.matches[id]
}
