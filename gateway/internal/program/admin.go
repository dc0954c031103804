package program

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	"github.com/sallyport/sallyport/metrics"
)

// serveAdmin serves the admin API until ctx is done. Players do not wait for it: its identity may come
// later.
func (p *program) serveAdmin(ctx context.Context, l net.Listener, recent *audit.Recent) {
	f := p.flags
	source, err := identity.New(ctx, identity.Config{
		Files: identity.Files{Certificate: f.spiffeCert, Key: f.spiffeKey, Bundle: f.spiffeB}, Audit: p.sink, Log: p.log,
	})
	if err != nil {
		if ctx.Err() == nil {
			p.log.Error("there is no admin API", "error", err)
		}
		l.Close() //nolint:errcheck // nobody has connected
		return
	}
	defer source.Close() //nolint:errcheck // the process ends
	p.source.Store(source)
	api, err := admin.Handler(admin.Config{
		Server: p.gateway.Server(), Identity: source, Drain: &p.drain, Keys: p.ring, OnCall: p.meter.AdminCall,
		Metrics:   metrics.Handler(metrics.NewCollector(p.gateway.Server().Stats), p.meter),
		Pseudonym: recent.Pseudonym, Issuer: f.issuer, Ready: p.gateway.Ready, Audit: p.sink, Log: p.log,
	})
	if err != nil {
		p.log.Error("there is no admin API", "error", err)
		l.Close() //nolint:errcheck // nobody has connected
		return
	}
	server := admin.NewServer(api)
	var served sync.WaitGroup
	served.Go(func() {
		if err := server.Serve(source.Listen(l)); !errors.Is(err, http.ErrServerClosed) {
			p.log.Error("the admin API has ended", "error", err)
		}
	})
	<-ctx.Done()
	server.Close() //nolint:errcheck // the process ends
	served.Wait()
}

// spiffe says how long the certificate of the admin API is good.
func (p *program) spiffe() (notBefore, notAfter time.Time) {
	if s := p.source.Load(); s != nil {
		status := s.Status()
		notBefore, notAfter = status.NotBefore, status.NotAfter
	}
	return notBefore, notAfter
}
