// Package carrier is the WebSocket port of the gateway's programs, beside that for UDP: its flags, its
// server, its certificate and its metrics.
package carrier

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/gateway/websocket"
)

// Flags are those of the port.
type Flags struct {
	address, proxies, origins string
	plain                     bool
}

// Define defines them.
func (f *Flags) Define(set *flag.FlagSet) {
	set.StringVar(&f.address, "websocket", "", "TCP `address` for players whose network blocks UDP, such as :443; empty means none")
	set.StringVar(&f.proxies, "websocket-proxies", "", "address `ranges` of proxies in front whose X-Forwarded-For is believed, with commas between")
	set.StringVar(&f.origins, "websocket-origins", "", "web `sites` whose pages may play, such as https://play.example.com, with commas between: a browser has no DTLS, so whoever ends its TLS can act as the player")
	set.BoolVar(&f.plain, "websocket-plain", false, "no TLS at -websocket: a proxy in front ends it")
}

// Check returns an error for flags that cannot be used.
func (f *Flags) Check() error {
	if f.address == "" && (f.proxies != "" || f.origins != "" || f.plain) {
		return errors.New("-websocket-proxies, -websocket-origins and -websocket-plain go with -websocket")
	}
	_, err := f.config()
	return err
}

// config is what the port takes.
func (f *Flags) config() (c websocket.Config, err error) {
	if c.Proxies, err = f.ranges(); err != nil || f.origins == "" {
		return c, err
	}
	for text := range strings.SplitSeq(f.origins, ",") {
		c.Origins = append(c.Origins, strings.TrimSpace(text))
	}
	if _, err = c.WithDefaults(); err != nil {
		return c, fmt.Errorf("-websocket-origins: %w", err)
	}
	return c, nil
}

func (f *Flags) ranges() (list []netip.Prefix, err error) {
	if f.proxies == "" {
		return nil, nil
	}
	for text := range strings.SplitSeq(f.proxies, ",") {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("-websocket-proxies %q: must be address ranges such as 10.0.0.0/8, with commas between", text)
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

// Port is where WebSockets come in. Its methods are safe for concurrent use; those of nil do nothing.
type Port struct {
	carrier     *websocket.Listener
	listener    net.Listener
	server      *http.Server
	plain       bool
	certificate atomic.Pointer[tls.Certificate]
	serving     sync.WaitGroup
}

// Open opens the port, which shows the certificate of config, has the server of config take what comes there,
// and adds the port's metrics. It is nil without -websocket. Nothing is taken before Serve.
func (f *Flags) Open(config *gateway.Config) (*Port, error) {
	if f.address == "" {
		return nil, nil //nolint:nilnil // a nil Port does nothing
	}
	own, err := f.config()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", f.address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on -websocket: %w", err)
	}
	p := &Port{listener: l, plain: f.plain}
	p.SetCertificate(config.Transport.Certificate)
	if len(own.Origins) > 0 {
		own.Certificate = p.certificate.Load // of the match server, too
	}
	if p.carrier, err = websocket.New(own); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	p.server = websocket.NewServer(p.carrier)
	p.server.TLSConfig.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.certificate.Load(), nil }
	config.Transport.Also, config.Metrics = p.carrier, append(config.Metrics, p.collectors()...)
	return p, nil
}

// SetCertificate shows cert from now on.
func (p *Port) SetCertificate(cert tls.Certificate) {
	if p != nil {
		p.certificate.Store(&cert)
	}
}

// Addr is where it listens, empty for nil.
func (p *Port) Addr() string {
	if p == nil {
		return ""
	}
	return p.listener.Addr().String()
}

// Serve takes WebSockets until Close, in a goroutine of its own.
func (p *Port) Serve(log *slog.Logger) {
	if p == nil {
		return
	}
	p.server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug) // of strangers' handshakes
	p.serving.Go(func() {
		var err error
		if p.plain {
			err = p.server.Serve(p.listener)
		} else {
			err = p.server.ServeTLS(p.listener, "", "")
		}
		if !errors.Is(err, http.ErrServerClosed) {
			log.Error("the WebSocket server stopped", "error", err)
		}
	})
}

// Close ends the port, and returns when it has ended. Its connections end with the transport server.
func (p *Port) Close() {
	if p == nil {
		return
	}
	p.server.Close()   //nolint:errcheck // nothing is to be done about it
	p.listener.Close() //nolint:errcheck // the server may not have had it yet
	p.carrier.Close()  //nolint:errcheck // the transport server may have done it
	p.serving.Wait()
}

// collectors are its metrics.
func (p *Port) collectors() []prometheus.Collector {
	counter := func(name, help string, value func(websocket.Stats) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "sallyport_websocket_" + name + "_total", Help: help},
			func() float64 { return float64(value(p.carrier.Stats())) })
	}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sallyport_websocket_open", Help: "WebSockets of players now."},
			func() float64 { return float64(p.carrier.Stats().Open) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "sallyport_websocket_open_browsers", Help: "WebSockets of browsers now."},
			func() float64 { return float64(p.carrier.Stats().OpenBrowsers) }),
		counter("accepted", "WebSockets that were taken.", func(s websocket.Stats) uint64 { return s.Accepted }),
		counter("browsers", "WebSockets of browsers that were taken.", func(s websocket.Stats) uint64 { return s.Browsers }),
		counter("relays_failed", "Browsers whose connection to the server has failed.", func(s websocket.Stats) uint64 { return s.RelaysFailed }),
		counter("refused", "Requests that were refused.", func(s websocket.Stats) uint64 { return s.Refused }),
		counter("dropped", "Datagrams for which there was no room, or no allowance.", func(s websocket.Stats) uint64 { return s.Dropped }),
	}
}
