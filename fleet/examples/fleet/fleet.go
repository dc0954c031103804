package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/sallyport/sallyport/fleet/internal/natstest"
	"github.com/sallyport/sallyport/fleet/revocation"
	"github.com/sallyport/sallyport/fleet/revocation/natscarrier"
	"github.com/sallyport/sallyport/token"
)

const (
	issuer   = "https://login.example"
	audience = "example"
	mallory  = "mallory"
)

// fleet is what runs.
type fleet struct {
	options
	out     io.Writer
	dir     string
	login   login
	broker  *natstest.Embedded
	port    int // the broker's
	carrier *natscarrier.Carrier
	central *revocation.Publisher
	servers []*process

	wg sync.WaitGroup // players and the publisher

	mu sync.Mutex
	// +checklocks:mu
	ended []error // sessions of honest players
}

// play runs the fleet and the match.
func play(ctx context.Context, o options, out io.Writer) (r *report, err error) {
	f := &fleet{options: o, out: out}
	if f.dir, err = os.MkdirTemp("", "sallyport-fleet-"); err != nil {
		return nil, err
	}
	defer os.RemoveAll(f.dir) //nolint:errcheck // a temporary folder
	ctx, cancel := context.WithCancel(ctx)
	defer f.stop()
	defer cancel()
	if err := f.start(ctx); err != nil {
		return nil, err
	}
	return f.match(ctx)
}

// start starts the broker, the operator's publisher and the match servers.
func (f *fleet) start(ctx context.Context) error {
	fmt.Fprintf(f.out, "starting a NATS server and %d match servers\n", f.count)
	i, err := token.NewIssuer(token.IssuerConfig{Issuer: issuer, Audience: audience})
	if err != nil {
		return err
	}
	f.login.issuer = i
	if f.broker, err = f.startBroker(0); err != nil {
		return err
	}
	if f.port, err = portOf(f.broker.URL()); err != nil {
		return err
	}
	f.carrier, err = natscarrier.Open(natscarrier.Config{Servers: []string{f.broker.URL()}, Name: "operator", Replicas: 1})
	if err != nil {
		return err
	}
	key := revocation.GenerateSigningKey()
	f.central, err = revocation.OpenPublisher(revocation.PublisherConfig{Name: "operator", Key: key, Dir: f.folder("operator"), Carrier: f.carrier})
	if err != nil {
		return err
	}
	f.wg.Go(func() { f.central.Run(ctx) }) //nolint:errcheck // ends with ctx
	return f.startServers(key)
}

// startBroker starts the NATS server on a TCP port, 0 for any: with the store of the one before.
func (f *fleet) startBroker(port int) (*natstest.Embedded, error) {
	return natstest.StartEmbedded(natstest.Config{Dir: f.folder("nats"), Name: "nats", Port: port})
}

// startServers starts the match servers, which trust the operator and each other.
func (f *fleet) startServers(operator revocation.SigningKey) error {
	keys := make([]revocation.SigningKey, f.count)
	all := []trusted{{Name: "operator", Key: operator.Public(), Central: true}}
	for i := range keys {
		keys[i] = revocation.GenerateSigningKey()
		all = append(all, trusted{Name: serverName(i), Key: keys[i].Public()})
	}
	for i, key := range keys {
		secret, err := key.PEM()
		if err != nil {
			return err
		}
		p, err := start(order{
			Name: serverName(i), NATS: f.broker.URL(), Dir: f.folder(serverName(i)), Key: secret, Trusted: all,
			Issuer: issuer, Aud: audience, JWKS: f.login.issuer.JWKS(), Suspect: mallory,
		})
		if err != nil {
			return err
		}
		f.servers = append(f.servers, p)
	}
	return nil
}

func portOf(address string) (int, error) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Port())
}

func serverName(i int) string { return fmt.Sprintf("match-%d", i+1) }

// folder makes a folder of its own for a part of the fleet.
func (f *fleet) folder(name string) string {
	dir := filepath.Join(f.dir, name)
	os.Mkdir(dir, 0o700) //nolint:errcheck // who uses it says so
	return dir
}

// stop ends what start has begun, in the other order.
func (f *fleet) stop() {
	f.wg.Wait()
	for _, p := range f.servers {
		p.stop()
	}
	if f.central != nil {
		f.central.Close() //nolint:errcheck // the folder is removed
	}
	if f.carrier != nil {
		f.carrier.Close()
	}
	if f.broker != nil {
		f.broker.Close()
	}
}
