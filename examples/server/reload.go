package main

import (
	"crypto/tls"
	"log/slog"

	"github.com/sallyport/sallyport/internal/lab/gameserver"
)

// reload reads again what may have changed. What cannot be read is kept as it is in use.
func reload(f *flags, server *gameserver.Server, log *slog.Logger) {
	if f.fleet.keys != "" {
		reloadFleetKeys(f, server, log)
	}
	switch {
	case !f.dev:
		reloadCertificate(f, server, log)
	case f.fleet.keys == "":
		log.Warn("nothing to reload: a development certificate lasts as long as the process")
	}
}

func reloadCertificate(f *flags, server *gameserver.Server, log *slog.Logger) {
	cert, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err == nil {
		err = server.SetCertificate(cert)
	}
	if err != nil {
		log.Error("certificate kept", "error", err)
		return
	}
	log.Info("certificate reloaded")
}

func reloadFleetKeys(f *flags, server *gameserver.Server, log *slog.Logger) {
	keys, err := f.fleet.read()
	if err == nil {
		err = server.SetFleetKeys(keys...)
	}
	if err != nil {
		log.Error("fleet keys kept", "error", err)
		return
	}
	log.Info("fleet keys reloaded", "keys", len(keys))
}
