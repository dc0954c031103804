package main

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/sallyport/sallyport/fleetkey"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/gateway/internal/carrier"
)

// reload reads certificate and fleet keys again whenever SIGHUP comes. What cannot be used changes
// nothing.
func (f *flags) reload(ctx context.Context, g *gateway.Gateway, port *carrier.Port, ring *fleetkey.Ring, log *slog.Logger) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		cert, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err == nil {
			if err = g.Server().SetCertificate(cert); err == nil {
				port.SetCertificate(cert)
			}
		}
		if err == nil && ring != nil {
			var keys []fleetkey.Key
			if keys, err = f.readKeys(); err == nil {
				err = ring.Set(keys...)
			}
		}
		if err != nil {
			log.Error("nothing was reloaded", "error", err)
			continue
		}
		log.Info("certificate and fleet keys were read again")
	}
}
