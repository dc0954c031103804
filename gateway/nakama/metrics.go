package nakama

import "github.com/prometheus/client_golang/prometheus"

// What a Backend measures, without labels that grow.
var (
	descJoined  = prometheus.NewDesc("sallyport_nakama_joins_total", "Matches joined, by whether it was the player's first WebSocket.", []string{"which"}, nil)
	descEnds    = prometheus.NewDesc("sallyport_nakama_ends_total", "Stays ended by Nakama, by why.", []string{"why"}, nil)
	descSignIns = prometheus.NewDesc("sallyport_nakama_sessions_total", "Nakama sessions that the gateway got, by how.", []string{"how"}, nil)
	descInputs  = prometheus.NewDesc("sallyport_nakama_inputs_total", "Inputs of players, by what became of them.", []string{"outcome"}, nil)
	descData    = prometheus.NewDesc("sallyport_nakama_match_data_total", "Match data for players, by what became of it.", []string{"outcome"}, nil)
)

// collector gives Prometheus the counts of a Backend.
type collector struct{ b *Backend }

// Collector returns the backend's metrics, for gateway.Config.Metrics.
func (b *Backend) Collector() prometheus.Collector { return collector{b} }

// Describe implements prometheus.Collector.
func (c collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descJoined, descEnds, descSignIns, descInputs, descData} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	s := c.b.Stats()
	add := func(d *prometheus.Desc, n uint64, label string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), label)
	}
	add(descJoined, s.Joined-s.Rejoined, "first")
	add(descJoined, s.Rejoined, "again")
	add(descEnds, s.Refused, "refused")
	add(descEnds, s.Kicked, "kicked")
	add(descEnds, s.Over, "over")
	add(descEnds, s.Behind, "behind")
	add(descSignIns, s.SignedIn, "signed_in")
	add(descSignIns, s.Refreshed, "refreshed")
	add(descInputs, s.Inputs, "sent")
	add(descInputs, s.DroppedInputs, "dropped")
	add(descInputs, s.LongInputs, "too_long")
	add(descInputs, s.Malformed, "malformed")
	add(descData, s.Messages, "sent")
	add(descData, s.Oversized, "too_large")
}
