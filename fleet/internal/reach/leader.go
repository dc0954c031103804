package reach

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// leader returns which NATS server leads the stream, from 0. The central publisher may ask.
func (f *Fleet) leader(ctx context.Context) (int, error) {
	c := f.carrierConfig("central", f.NATS.URLs())
	conn, err := nats.Connect(strings.Join(c.Servers, ","), nats.CustomInboxPrefix("_INBOX_sallyport.central"))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return 0, err
	}
	s, err := js.Stream(ctx, "SALLYPORT")
	if err != nil {
		return 0, err
	}
	name := s.CachedInfo().Cluster.Leader
	n, err := strconv.Atoi(strings.TrimPrefix(name, "nats-"))
	if err != nil {
		return 0, fmt.Errorf("reach: the stream's leader is %q", name)
	}
	return n - 1, nil
}
