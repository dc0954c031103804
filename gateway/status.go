package gateway

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/metrics"
	"github.com/sallyport/sallyport/statuspage"
)

// counts is what the gateway counts beside the transport server.
type counts struct {
	unavailable atomic.Uint64 // admissions refused because the backend was gone
	full        atomic.Uint64 // and because MaxPlayers played
	outages     atomic.Uint64
	putOut      atomic.Uint64 // players
}

// Handler serves GET /live, /ready and /metrics, for an http.Server of statuspage.NewServer. /live
// answers 503 once the server stands still, whatever the backend does: restarting the gateway does not
// bring the game back. /ready answers 503 while nobody new is admitted.
func (g *Gateway) Handler() http.Handler {
	own := append([]prometheus.Collector{metrics.NewCollector(g.server.Stats), collector{g}}, g.config.Metrics...)
	page, err := statuspage.Handler(statuspage.Config{
		Server: g.server, Remote: g.config.Remote, Hosts: g.config.Hosts, Ready: g.Ready, Metrics: metrics.Handler(own...),
	})
	if err != nil {
		panic(err) // all is there
	}
	mux := http.NewServeMux()
	for _, path := range []string{"/live", "/ready", "/metrics"} {
		mux.Handle("GET "+path, page)
	}
	return mux
}

// What the gateway measures, without labels that grow.
var (
	descPlayers = prometheus.NewDesc("sallyport_gateway_players", "Players whom the backend knows.", nil, nil)
	descReady   = prometheus.NewDesc("sallyport_gateway_backend_ready", "1 while the backend can take players, else 0.", nil, nil)
	descOutages = prometheus.NewDesc("sallyport_gateway_backend_outages_total", "How often the backend was gone.", nil, nil)
	descRefused = prometheus.NewDesc("sallyport_gateway_refused_total", "Admissions refused by the gateway.", []string{"reason"}, nil)
	descPutOut  = prometheus.NewDesc("sallyport_gateway_put_out_total", "Sessions ended because the backend did not come back.", nil, nil)
)

// collector gives Prometheus the counts of a gateway.
type collector struct{ g *Gateway }

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descPlayers, descReady, descOutages, descRefused, descPutOut} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	ready := 0.0
	if c.g.backend.Ready() == nil {
		ready = 1
	}
	n := &c.g.counts
	out <- prometheus.MustNewConstMetric(descPlayers, prometheus.GaugeValue, float64(c.g.players.Load()))
	out <- prometheus.MustNewConstMetric(descReady, prometheus.GaugeValue, ready)
	out <- prometheus.MustNewConstMetric(descOutages, prometheus.CounterValue, float64(n.outages.Load()))
	out <- prometheus.MustNewConstMetric(descRefused, prometheus.CounterValue, float64(n.unavailable.Load()), "unavailable")
	out <- prometheus.MustNewConstMetric(descRefused, prometheus.CounterValue, float64(n.full.Load()), "full")
	out <- prometheus.MustNewConstMetric(descPutOut, prometheus.CounterValue, float64(n.putOut.Load()))
}
