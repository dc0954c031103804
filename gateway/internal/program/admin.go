package program

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/admin"
	"github.com/sallyport/sallyport/fleet/identity"
	fleetmetrics "github.com/sallyport/sallyport/fleet/metrics"
	"github.com/sallyport/sallyport/metrics"
)

// serveAdmin serves the admin API until ctx is done. Players do not wait for it: its identity may come
// later.
func (p *program) serveAdmin(ctx context.Context, l net.Listener, fleet *fleetmetrics.Metrics, recent *audit.Recent) {
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
	p.validity.source.Store(source)
	api, err := admin.Handler(admin.Config{
		Server: p.gateway.Server(), Identity: source, Drain: &p.drain, Keys: p.ring, OnCall: fleet.AdminCall,
		Metrics:   metrics.Handler(metrics.NewCollector(p.gateway.Server().Stats), fleet),
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
