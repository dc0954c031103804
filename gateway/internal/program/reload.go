package program

import (
	"context"
	"crypto/tls"
	"os"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gateway/internal/reload"
	"github.com/sallyport/sallyport/token"
)

// watch reads files again on hup, and when one has changed, until ctx is done.
func (p *program) watch(ctx context.Context, hup <-chan os.Signal) {
	f := p.flags
	reload.Watch(ctx, hup, []string{f.cert, f.key, f.keys, f.fleetKeys, f.limits}, func(told bool) {
		if told {
			p.audit.reopen(p.log)
		}
		p.reload()
	})
}

// reload puts what has changed in force. What cannot be read stays as it is in use, and what only a new
// process can change is named.
func (p *program) reload() {
	p.again("certificate", p.flags.cert != "", p.reloadCertificate)
	p.again("the issuer's keys", p.keys != nil, func() error { return p.keys.read(p.flags.keys, token.Algorithm(p.flags.alg)) })
	p.again("fleet keys", p.ring != nil, p.reloadFleetKeys)
	p.again("limits", p.flags.limits != "", p.reloadLimits)
}

func (p *program) again(what string, given bool, f func() error) {
	if !given {
		return
	}
	if err := f(); err != nil {
		p.log.Error(what+" kept", "error", err)
		return
	}
	p.log.Info(what + " reloaded")
}

func (p *program) reloadCertificate() error {
	cert, err := tls.LoadX509KeyPair(p.flags.cert, p.flags.key)
	if err != nil {
		return err
	}
	if err = p.gateway.Server().SetCertificate(cert); err == nil {
		p.websocket.SetCertificate(cert)
		p.meter.SetCertificate(cert)
	}
	return err
}

func (p *program) reloadFleetKeys() error {
	keys, err := readFleetKeys(p.flags.fleetKeys)
	if err == nil {
		err = p.ring.Set(keys...)
	}
	if err == nil && p.sink != nil {
		p.sink.Record(audit.Event{Decision: audit.KeyRotation, Detail: "the fleet's keys"})
	}
	return err
}

func (p *program) reloadLimits() error {
	l, err := readLimits(p.flags.limits)
	if err != nil {
		return err
	}
	if l.behaviourFile != p.behaviour {
		p.log.Warn("what one session may do (datagrams, bytes, flag, limit, revoke) does not change in a process that runs: start it anew")
	}
	return p.gateway.SetLimits(l.limits())
}
