package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"

	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/gateway/internal/carrier"
	"github.com/sallyport/sallyport/gateway/internal/meter"
	"github.com/sallyport/sallyport/gateway/internal/reload"
)

// reloader reads certificate and fleet keys again.
type reloader struct {
	flags   *flags
	gateway *gateway.Gateway
	port    *carrier.Port // nil without -websocket
	meter   *meter.Meter
	ring    *fleetkey.Ring // nil without -fleet-keys
	log     *slog.Logger
}

// run reads them whenever hup says so, and when one has changed, until ctx is done.
func (r *reloader) run(ctx context.Context, hup <-chan os.Signal) {
	reload.Watch(ctx, hup, []string{r.flags.cert, r.flags.key, r.flags.fleetKeys}, func(bool) { r.again() })
}

// again reads certificate and fleet keys. Each of them that cannot be used stays as it is.
func (r *reloader) again() {
	say := func(what string, err error) {
		if err != nil {
			r.log.Error(what+" kept", "error", err)
			return
		}
		r.log.Info(what + " reloaded")
	}
	cert, err := tls.LoadX509KeyPair(r.flags.cert, r.flags.key)
	if err == nil {
		err = r.gateway.Server().SetCertificate(cert)
	}
	if err == nil {
		r.port.SetCertificate(cert)
		r.meter.SetCertificate(cert)
	}
	say("certificate", err)
	if r.ring == nil {
		return
	}
	keys, err := r.flags.readKeys()
	if err == nil {
		err = r.ring.Set(keys...)
	}
	say("fleet keys", err)
}
