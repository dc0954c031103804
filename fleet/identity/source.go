package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/sallyport/sallyport/audit"
)

// Source is the identity of this service and its judgement of others. Its methods are safe for
// concurrent use.
type Source struct {
	config   Config // set by New, constant afterwards
	stop     context.CancelFunc
	wg       sync.WaitGroup // what watches the files or the Workload API; Close waits
	material atomic.Pointer[material]
	policy   atomic.Pointer[policy]
	changes  atomic.Uint64 // of material and policy
	conns    conns
	lines    lines // of the log, about peers

	mu sync.Mutex
	// +checklocks:mu
	id spiffeid.ID // that every certificate has; zero until it is known
	// +checklocks:mu
	updates, failures uint64
	// +checklocks:mu
	lastFailure string // what was wrong with the newest material; empty once that is used
	// +checklocks:mu
	aged age // of the certificate, as far as it has been told
	// +checklocks:mu
	transports []weak.Pointer[http.Transport] // those of Transport that are in use
}

// material is a certificate with its key, and who is trusted.
type material struct {
	svid    *x509svid.SVID
	bundle  *x509bundle.Bundle
	cert    tls.Certificate
	expires time.Time // of the whole chain
}

// Status is the state of a Source, for metrics and for `sallyport doctor`.
type Status struct {
	ID                  string
	NotBefore, NotAfter time.Time // of the certificate in use
	Updates             uint64    // changes of certificate or bundle since New, the first one included
	Failures            uint64    // changes that could not be used, and failures of the Workload API
	LastFailure         string    // empty while the newest certificate and bundle are in use
	Connections         int       // live ones of Listen, Transport and Dialer
}

// New returns a Source that has a certificate and a bundle. It waits until ctx ends for a Workload
// API that has none yet; files must be good at once. Errors about c match ErrConfig. The Source
// works until Close, whatever becomes of ctx.
func New(ctx context.Context, c Config) (*Source, error) {
	c = c.WithDefaults()
	id, err := c.check()
	if err != nil {
		return nil, err
	}
	s := &Source{config: c, id: id}
	if err := s.SetPolicy(c.Policy); err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	s.stop = stop
	if c.Socket != "" {
		err = s.startWorkload(ctx, running)
	} else {
		err = s.startFiles(running)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.wg.Go(func() { s.watchAge(running) })
	return s, nil
}

// Close stops watching, and closes the connections of Listen, Transport and Dialer.
func (s *Source) Close() error {
	s.stop()
	s.wg.Wait()
	s.conns.closeAll()
	return nil
}

// SetPolicy replaces the Policy. Connections of peers that it no longer admits are closed. If it
// returns an error, which matches ErrConfig, the former policy stays.
func (s *Source) SetPolicy(p Policy) error {
	c, err := p.compile()
	if err != nil {
		return err
	}
	for r, more := range p.Widen {
		s.config.Log.Warn("identity: the policy gives a role more than its share", "role", r.String(), "permissions", more.String())
	}
	s.policy.Store(c)
	s.changes.Add(1)
	s.conns.review()
	return nil
}

// Status returns the state of the Source.
func (s *Source) Status() Status {
	m := s.material.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	return Status{
		ID: m.svid.ID.String(), NotBefore: m.svid.Certificates[0].NotBefore, NotAfter: m.expires,
		Updates: s.updates, Failures: s.failures, LastFailure: s.lastFailure, Connections: s.conns.len(),
	}
}

// install checks a new certificate and bundle as a peer would, and uses them if they are good.
func (s *Source) install(svid *x509svid.SVID, bundle *x509bundle.Bundle) error {
	if id := s.ownID(); !id.IsZero() && svid.ID != id {
		return fmt.Errorf("the certificate is that of %v, and this service is %v", svid.ID, id)
	}
	v := examine(svid.Certificates, bundle, s.config.MaxLife, time.Now())
	if v.refusal != 0 {
		return v.refusal
	}
	if s.refreshed(svid, bundle) {
		return nil
	}
	m := &material{svid: svid, bundle: bundle, expires: v.expires}
	m.cert = tls.Certificate{PrivateKey: svid.PrivateKey, Leaf: svid.Certificates[0]}
	for _, c := range svid.Certificates {
		m.cert.Certificate = append(m.cert.Certificate, c.Raw)
	}
	if svid.ID.TrustDomain().Name() == DevDomain && s.material.Load() == nil {
		s.config.Log.Warn("identity: DEVELOPMENT AUTHORITY: whoever can read its directory can be any service", "do", "use SPIRE, or certificates of an authority of your own")
		s.config.Audit.Record(audit.Event{Decision: audit.Alarm, Detail: "identity: certificates of a development authority are in use"})
	}
	s.mu.Lock()
	s.id = svid.ID
	s.updates++
	s.aged = fresh
	s.lastFailure = ""
	s.mu.Unlock()
	s.material.Store(m)
	s.changes.Add(1)
	s.conns.review()
	s.freshen()
	s.config.Log.Info("identity: certificate in use", "id", svid.ID.String(), "not_after", m.expires)
	s.config.Audit.Record(audit.Event{Decision: audit.KeyRotation, Detail: "identity: the service's certificate or its trust bundle"})
	return nil
}

// refreshed reports whether certificate, chain and bundle are those in use, as after a restart of the
// agent.
func (s *Source) refreshed(svid *x509svid.SVID, bundle *x509bundle.Bundle) bool {
	m := s.material.Load()
	if m == nil || !slices.EqualFunc(m.svid.Certificates, svid.Certificates, (*x509.Certificate).Equal) || !m.bundle.Equal(bundle) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastFailure = ""
	return true
}

// ownID returns the id of this service, zero until it is known.
func (s *Source) ownID() spiffeid.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.id
}
