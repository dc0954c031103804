package reach

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/fleet/revocation"
)

// natsName is the name of a NATS server of the cluster, from 0.
func natsName(i int) string { return fmt.Sprintf("nats-%d", i+1) }

// connectedTo returns which NATS server the publisher is connected to, from 0.
func (f *Fleet) connectedTo() (int, error) {
	name := f.carrier.Stats().Server
	n, err := strconv.Atoi(strings.TrimPrefix(name, "nats-"))
	if err != nil {
		return 0, fmt.Errorf("reach: the publisher is connected to no NATS server: %q", name)
	}
	return n - 1, nil
}

// KillNATS kills the NATS server that the publisher is connected to: the one whose end is felt most.
func (f *Fleet) KillNATS() (i int, err error) {
	if i, err = f.connectedTo(); err == nil {
		err = f.NATS.Kill(i)
	}
	return i, err
}

// LeaderGone kills the server that leads JetStream's stream, publishes a revocation, and returns how
// long it took until JetStream had it, and by how much the machine may have put that off. The server is
// started again.
func (f *Fleet) LeaderGone(ctx context.Context) (stored, late time.Duration, err error) {
	i, err := f.leader(ctx)
	if err != nil {
		return 0, 0, err
	}
	if err := f.NATS.Kill(i); err != nil {
		return 0, 0, err
	}
	began := time.Now()
	if _, err := f.Publisher.Append(revocation.Record{Kind: revocation.KindToken, Issuer: issuer, Value: "leader"}); err != nil {
		return 0, 0, err
	}
	if err := f.waitStored(ctx); err != nil {
		return 0, 0, err
	}
	stored = time.Since(began)
	if late, err = f.late(began, began.Add(stored)); err != nil {
		return 0, 0, err
	}
	return stored, late, f.NATS.Start(i)
}
