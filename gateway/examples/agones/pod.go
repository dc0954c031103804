package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/dev"
	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/gateway/agones"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/session"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// fleet is what the pods share.
type fleet struct {
	issuer      *token.Issuer
	certificate tls.Certificate
	roots       *x509.CertPool
	ring        *fleetkey.Ring
}

func newFleet() (f *fleet, err error) {
	f = &fleet{roots: x509.NewCertPool()}
	if f.issuer, err = token.NewIssuer(token.IssuerConfig{Issuer: dev.Issuer, Audience: "arena"}); err != nil {
		return nil, err
	}
	if f.certificate, err = dev.NewCertificate(); err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(f.certificate.Certificate[0])
	if err != nil {
		return nil, err
	}
	f.roots.AddCert(leaf)
	key, err := fleetkey.Generate()
	if err != nil {
		return nil, err
	}
	f.ring, err = fleetkey.NewRing(key)
	return f, err
}

// pod is a game server with its SDK server.
type pod struct {
	sdk

	name     string
	server   *transport.Server
	agent    *agones.Agent
	accepted atomic.Int64
	cancel   context.CancelFunc
	running  sync.WaitGroup
}

// start starts a pod.
func (f *fleet) start(ctx context.Context, name string, config config) (*pod, error) {
	p := &pod{name: name}
	var err error
	var address string
	if config.sdkServer != "" {
		p.sdk, address, err = startReal(config.sdkServer, name)
	} else {
		p.sdk, address, err = startRecorded(name)
	}
	if err != nil {
		return nil, err
	}
	verifier, err := token.NewVerifier(f.issuer.Profile())
	if err != nil {
		p.sdk.close()
		return nil, err
	}
	rule := agones.NewRule(agones.RuleConfig{Keys: f.ring.IDs})
	settings := transport.Config{
		Certificate: f.certificate, Verifier: verifier, Audit: p,
		Sources: policy.SourceConfig{PerSecond: 1000, Burst: 1000}, // all players have one address
	}
	settings.Session.FleetKeys, settings.Session.Authorize = f.ring, rule.Authorize(nil)
	if p.server, err = transport.Listen("127.0.0.1:0", settings); err != nil {
		p.sdk.close()
		return nil, err
	}
	client, err := agones.NewClient(address)
	if err == nil {
		p.agent, err = agones.NewAgent(agones.AgentConfig{
			Client: client, Rule: rule, Well: func() error { return nil },
			Drain: agones.DrainServer(p.server), Within: config.within,
		})
	}
	if err != nil {
		p.server.Close() //nolint:errcheck // err says more
		p.sdk.close()
		return nil, err
	}
	ctx, p.cancel = context.WithCancel(ctx)
	p.running.Go(func() { p.agent.Run(ctx) })
	p.running.Go(func() { p.server.Serve(transport.Handler{}) }) //nolint:errcheck // until Close
	p.running.Go(func() {
		for tick := time.NewTicker(time.Second / 60); ; {
			select {
			case <-tick.C:
				p.server.Broadcast([]byte("snapshot")) //nolint:errcheck // it is short
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	})
	return p, nil
}

// end ends the pod.
func (p *pod) end() {
	p.cancel()
	p.server.Close() //nolint:errcheck // the program ends
	p.running.Wait()
	p.sdk.close()
}

// Record counts who signs in.
func (p *pod) Record(e audit.Event) {
	if e.Decision == audit.Accept {
		p.accepted.Add(1)
	}
}

func (p *pod) signedIn() int64 { return p.accepted.Load() }

// allocate does what an allocator does, and waits until the pod has heard of it.
func (p *pod) allocate(ctx context.Context, annotations map[string]string) error {
	if err := p.sdk.allocate(annotations); err != nil {
		return err
	}
	return await(ctx, func() bool { return p.agent.GameServer().State == agones.Allocated })
}

// player is a client that notes how long it has waited for the next snapshot.
type player struct {
	*transport.Client

	longest         atomic.Int64 // ns
	resumed, closed atomic.Int64
}

// join has a player join a pod. One who is told "not now" tries again.
func (f *fleet) join(ctx context.Context, at *pod, name string) (*player, error) {
	p := &player{}
	for range 20 {
		dial, cancel := context.WithTimeout(ctx, 5*time.Second)
		client, err := transport.Dial(dial, at.server.Addr().String(), transport.ClientConfig{
			RootCAs: f.roots, ServerName: "localhost",
			Token: func(context.Context) ([]byte, error) {
				t, err := f.issuer.Mint(time.Now(), token.Grant{Subject: name, Scope: "match-7"})
				return []byte(t), err
			},
			OnEvent: func(e transport.ClientEvent) {
				switch e.Kind {
				case transport.EventResumed:
					p.resumed.Add(1)
				case transport.EventClosed:
					p.closed.Add(1)
				}
			},
		})
		cancel()
		if err == nil {
			p.Client = client
			go p.play()
			return p, nil
		}
		if refused, ok := errors.AsType[*transport.CloseError](err); !ok || refused.Reason != session.ReasonUnavailable {
			return nil, err
		}
		time.Sleep(200 * time.Millisecond)
	}
	return nil, errors.New("the server says each time: not now")
}

// play sends inputs, and receives.
func (p *player) play() {
	last := time.Now()
	for b := make([]byte, 64); ; {
		p.Send([]byte("input")) //nolint:errcheck // as the network
		if _, err := p.Receive(context.Background(), b); err != nil {
			return
		}
		p.longest.Store(max(p.longest.Load(), int64(time.Since(last))))
		last = time.Now()
	}
}
