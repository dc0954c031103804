package identity

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// startWorkload asks the Workload API, waits for the first certificate until ctx ends, and follows
// from then on.
func (s *Source) startWorkload(ctx, running context.Context) error {
	// gRPC has a back-off of its own, which goes up to two minutes unless told otherwise.
	params := grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: minRetry, Multiplier: 2, Jitter: 0.2, MaxDelay: maxRetry}, MinConnectTimeout: maxRetry}
	client, err := workloadapi.New(running, workloadapi.WithAddr(s.config.Socket), workloadapi.WithBackoffStrategy(retry{}),
		workloadapi.WithDialOptions(grpc.WithConnectParams(params)))
	if err != nil {
		return fmt.Errorf("%w: Socket: %w", ErrConfig, err)
	}
	w := &workload{source: s, running: running, ready: make(chan struct{})}
	s.wg.Go(func() {
		defer client.Close() //nolint:errcheck // nothing is under way
		// The client gives up where the agent calls its question malformed: we do not.
		for running.Err() == nil {
			client.WatchX509Context(running, w) //nolint:errcheck // w has been told
			select {
			case <-running.Done():
			case <-time.After(maxRetry):
			}
		}
	})
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("identity: no certificate from the Workload API at %s: %w (%s): is the agent running, and this service registered with it?",
			s.config.Socket, ctx.Err(), w.last())
	}
}

// workload receives what the Workload API says.
type workload struct {
	source  *Source
	running context.Context // of the Source
	once    sync.Once
	ready   chan struct{} // closed with the first certificate

	mu sync.Mutex
	// +checklocks:mu
	failure string
}

func (w *workload) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failure == "" {
		return "no answer"
	}
	return w.failure
}

// OnX509ContextUpdate implements workloadapi.X509ContextWatcher.
func (w *workload) OnX509ContextUpdate(c *workloadapi.X509Context) {
	if err := w.use(c); err != nil {
		w.note(err)
		w.source.unusable("the Workload API gives no certificate that can be used", err,
			"see what the agent issues for this service; the former certificate is used until it expires")
		return
	}
	w.once.Do(func() { close(w.ready) })
}

// OnX509ContextWatchError implements workloadapi.X509ContextWatcher.
func (w *workload) OnX509ContextWatchError(err error) {
	if w.running.Err() != nil {
		return
	}
	w.note(err)
	// No alarm: an agent may restart. If it stays away the age of the certificate raises one.
	w.source.fail("the Workload API does not answer, or has no certificate for this service", err,
		"start the agent, or register this service with it; the former certificate is used until it expires")
}

func (w *workload) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failure = err.Error()
}

func (w *workload) use(c *workloadapi.X509Context) error {
	svid, err := w.source.pick(c.SVIDs)
	if err != nil {
		return err
	}
	bundle, ok := c.Bundles.Get(svid.ID.TrustDomain())
	if !ok {
		return errors.New("there is no bundle of the service's own trust domain")
	}
	return w.source.install(svid, bundle)
}

// pick returns the certificate of the service's id, or the first one while that is not known.
func (s *Source) pick(svids []*x509svid.SVID) (*x509svid.SVID, error) {
	id := s.ownID()
	for _, svid := range svids {
		if id.IsZero() || svid.ID == id {
			return svid, nil
		}
	}
	return nil, fmt.Errorf("none of %d certificates is that of %v", len(svids), id)
}

// retry waits longer and longer between two questions, maxRetry at most.
type retry struct{}

// NewBackoff implements workloadapi.BackoffStrategy.
func (retry) NewBackoff() workloadapi.Backoff { return &wait{} }

type wait struct{ next time.Duration }

// Next implements workloadapi.Backoff.
func (w *wait) Next() time.Duration {
	w.next = min(max(2*w.next, minRetry), maxRetry)
	return w.next
}

// Reset implements workloadapi.Backoff.
func (w *wait) Reset() { w.next = 0 }
