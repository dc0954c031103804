package admin

import (
	"time"

	"github.com/sallyport/sallyport/transport"
)

// Stats is the answer of GET /v1/stats.
type Stats struct {
	Time  time.Time       `json:"time"`
	Drain DrainState      `json:"drain"`
	Stats transport.Stats `json:"stats"`
}

func (a *api) getStats(c *call) (any, *Problem) {
	if problem := query(c.r, nil); problem != nil {
		return nil, problem
	}
	return Stats{time.Now().UTC(), a.config.Drain.status().State, a.config.Server.Stats()}, nil
}

// getMetrics is GET /metrics.
func (a *api) getMetrics(c *call) (any, *Problem) {
	if problem := query(c.r, nil); problem != nil {
		return nil, problem
	}
	return a.config.Metrics, nil
}

// ready is the Ready of the health checks.
func (a *api) ready() error {
	if a.config.Drain.status().State != Serving {
		return errDraining
	}
	if a.config.Ready != nil {
		return a.config.Ready()
	}
	return nil
}
