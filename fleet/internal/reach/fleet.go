package reach

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/fleet/internal/natstest"
	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/natscarrier"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/internal/lab/gameserver"
	"github.com/sallyport/sallyport/internal/lab/lateness"
)

// Config is a fleet.
type Config struct {
	Dir     string // an empty folder, the fleet's to fill
	Ports   [6]int // TCP ports on 127.0.0.1 that are free
	Servers int    // match servers
	Stored  int    // revocations that are stored before they start
	Most    int    // revocations and bans that a server keeps; zero means its default

	Announce time.Duration // of the central publisher; zero means its default
	Stale    time.Duration // zero means the default
	// Modes are those of the servers in turn; none means the default.
	Modes []revocation.Mode
	// Absent has every NATS server be gone when the rest starts: start them by NATS.StartAll.
	Absent bool
}

// Fleet is match servers, a NATS cluster and a central publisher.
type Fleet struct {
	NATS      *natstest.Cluster
	Servers   []*Server
	Lines     []*natstest.Line // from the server with the same index to NATS
	Publisher *revocation.Publisher

	config  Config
	dev     *gameserver.Dev
	roots   *x509.CertPool
	carrier *natscarrier.Carrier // the publisher's
	trusted []revocation.Trusted
	keys    []revocation.SigningKey // of the match servers, one more than there are
	stop    context.CancelFunc      // of the publisher and of the lateness
	wg      sync.WaitGroup          // both; Close waits

	lateness lateness.Watch // of this process
}

// Start starts a fleet, and returns when everything that was stored is in force on every server,
// unless NATS is absent. Close it when done.
func Start(ctx context.Context, config Config) (f *Fleet, err error) {
	f = &Fleet{config: config, roots: x509.NewCertPool(), lateness: lateness.Watch{Least: usual}}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := f.prepare(); err != nil {
		return f, err
	}
	if f.NATS, err = natstest.StartCluster(config.Dir, config.Ports, f.users()); err != nil {
		return f, err
	}
	if config.Absent {
		if err := f.NATS.Close(); err != nil {
			return f, err
		}
	}
	if err := f.publish(); err != nil {
		return f, err
	}
	if err := f.store(ctx, config.Stored); err != nil {
		return f, err
	}
	for range config.Servers {
		if _, err := f.Add(); err != nil {
			return f, err
		}
	}
	if config.Absent {
		return f, nil
	}
	return f, f.WaitWhole(ctx)
}

// prepare makes keys.
func (f *Fleet) prepare() (err error) {
	if f.dev, err = gameserver.NewDev(); err != nil {
		return err
	}
	if err := f.dev.Save(f.config.Dir); err != nil {
		return err
	}
	f.roots.AppendCertsFromPEM(f.dev.CA)
	key, err := fleetkey.Generate()
	if err != nil {
		return err
	}
	text, err := key.Text()
	if err != nil {
		return err
	}
	if err := os.WriteFile(fleetKeys(f.config.Dir), text, 0o600); err != nil {
		return err
	}
	central := revocation.GenerateSigningKey()
	f.trusted = []revocation.Trusted{{Name: "central", Key: central.Public(), Kinds: revocation.AllKinds, LiftAny: true}}
	f.keys = []revocation.SigningKey{central}
	for i := range f.config.Servers + spareServers {
		k := revocation.GenerateSigningKey()
		f.keys = append(f.keys, k)
		f.trusted = append(f.trusted, revocation.Trusted{Name: serverName(i), Key: k.Public(), Kinds: revocation.ServerKinds, Optional: true})
	}
	return nil
}

// spareServers is how many servers may be added to a fleet.
const spareServers = 2

func serverName(i int) string        { return fmt.Sprintf("match-%d", i+1) }
func fleetKeys(folder string) string { return filepath.Join(folder, "fleet.keys") }
func password(user, url string) string {
	return strings.Replace(url, "nats://", "nats://"+user+":x@", 1)
}

// carrierConfig is of a user: the central publisher, or a match server.
func (f *Fleet) carrierConfig(name string, urls []string) natscarrier.Config {
	c := natscarrier.Config{Name: name}
	for _, u := range urls {
		c.Servers = append(c.Servers, password(name, u))
	}
	if name == "central" {
		c.Replicas = 3
	}
	return c
}

// users is what NATS allows each of them.
func (f *Fleet) users() string {
	var b strings.Builder
	b.WriteString("authorization {\n  users: [\n")
	for i, t := range f.trusted {
		p, err := f.carrierConfig(t.Name, []string{"nats://x"}).Permissions(revocation.IDOf(f.keys[i].Public()))
		if err != nil {
			panic(err) // names are our own
		}
		fmt.Fprintf(&b, "    {user: %q, password: x, permissions: %s}\n", t.Name, p)
	}
	b.WriteString("  ]\n}\n")
	return b.String()
}

// publish starts the central publisher.
func (f *Fleet) publish() (err error) {
	if f.carrier, err = natscarrier.Open(f.carrierConfig("central", f.NATS.URLs())); err != nil {
		return err
	}
	f.Publisher, err = revocation.OpenPublisher(revocation.PublisherConfig{
		Name: "central", Key: f.keys[0], Dir: filepath.Join(f.config.Dir, "central"), Carrier: f.carrier,
		Announce: f.config.Announce,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	f.wg.Go(func() { f.Publisher.Run(ctx) }) //nolint:errcheck // ends with ctx
	f.wg.Go(func() { f.lateness.Run(ctx) })
	return nil
}

// Add starts one more match server, with a line of its own to NATS.
func (f *Fleet) Add() (*Server, error) {
	i := len(f.Servers)
	line, err := natstest.NewLine(f.NATS.URLs()...)
	if err != nil {
		return nil, err
	}
	f.Lines = append(f.Lines, line)
	key, err := f.keys[i+1].PEM()
	if err != nil {
		return nil, err
	}
	o := order{
		Name: serverName(i), Folder: f.config.Dir, Dir: filepath.Join(f.config.Dir, serverName(i)), Key: key,
		Servers: f.carrierConfig(serverName(i), line.URLs()).Servers, Trusted: f.trusted,
		Stale: f.config.Stale, Most: f.config.Most,
	}
	if n := len(f.config.Modes); n > 0 {
		o.Mode = f.config.Modes[i%n]
	}
	s, err := startServer(o)
	if err != nil {
		return nil, err
	}
	f.Servers = append(f.Servers, s)
	return s, nil
}

// WaitWhole waits until everything that the central publisher has published is in force on every
// server.
func (f *Fleet) WaitWhole(ctx context.Context) error {
	for _, s := range f.Servers {
		if err := f.waitWhole(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fleet) waitWhole(ctx context.Context, s *Server) error {
	for {
		a, err := s.Status()
		if err != nil {
			return err
		}
		if whole(a.Status, f.Publisher.Stats().Last) {
			return nil
		}
		if !pause(ctx, 5*time.Millisecond) {
			return fmt.Errorf("reach: %s is not whole: %+v: %w", s.Name, a.Status, ctx.Err())
		}
	}
}

// whole reports whether a server has everything of the central publisher and is not stale.
func whole(s revocation.Status, last uint64) bool {
	return len(s.Publishers) > 0 && !s.Stale && s.Publishers[0].Applied >= last
}

// pause waits and reports whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// Close ends everything and returns when it is gone.
func (f *Fleet) Close() (err error) {
	for _, s := range f.Servers {
		err = errors.Join(err, s.Close())
	}
	if f.stop != nil {
		f.stop()
		f.wg.Wait()
		err = errors.Join(err, f.Publisher.Close())
	}
	for _, l := range f.Lines {
		l.Close()
	}
	if f.carrier != nil {
		f.carrier.Close()
	}
	if f.NATS != nil {
		err = errors.Join(err, f.NATS.Close())
	}
	return err
}
