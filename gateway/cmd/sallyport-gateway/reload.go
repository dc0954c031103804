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

// reload reads certificate and fleet keys again whenever SIGHUP comes.
func (f *flags) reload(ctx context.Context, g *gateway.Gateway, port *carrier.Port, ring *fleetkey.Ring, log *slog.Logger) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			f.again(g, port, ring, log)
		}
	}
}

// again reads certificate and fleet keys. Each of them that cannot be used stays as it is.
func (f *flags) again(g *gateway.Gateway, port *carrier.Port, ring *fleetkey.Ring, log *slog.Logger) {
	say := func(what string, err error) {
		if err != nil {
			log.Error(what+" kept", "error", err)
			return
		}
		log.Info(what + " reloaded")
	}
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err == nil {
		err = g.Server().SetCertificate(cert)
	}
	if err == nil {
		port.SetCertificate(cert)
	}
	say("certificate", err)
	if ring == nil {
		return
	}
	keys, err := f.readKeys()
	if err == nil {
		err = ring.Set(keys...)
	}
	say("fleet keys", err)
}
