package identitytest

import (
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Workload is a SPIFFE Workload API for one service, as an agent on its machine serves it. Its
// methods are safe for concurrent use.
type Workload struct {
	workload.UnimplementedSpiffeWorkloadAPIServer

	authority *Authority
	tb        testing.TB
	path      string
	socket    string
	wg        sync.WaitGroup // Serve of the current server

	mu sync.Mutex
	// +checklocks:mu
	server *grpc.Server // nil while stopped
	// +checklocks:mu
	svids []*x509svid.SVID // empty: the service is not registered
	// +checklocks:mu
	changed chan struct{} // closed and replaced with each change of svids
}

// Serve starts a Workload API for the service of this path, which gives it another certificate with
// each Rotate. It ends with the test.
func (a *Authority) Serve(tb testing.TB, path string) *Workload {
	tb.Helper()
	dir, err := os.MkdirTemp("", "spiffe") // shorter than tb.TempDir: the name of a socket has 107 bytes at most
	if err != nil {
		tb.Fatal(err)
	}
	w := &Workload{authority: a, tb: tb, path: path, socket: filepath.Join(dir, "agent.sock"), changed: make(chan struct{})}
	w.Set(a.Issue(path))
	w.Start()
	tb.Cleanup(func() {
		w.Stop()
		os.RemoveAll(dir) //nolint:errcheck // of the test
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.services = append(a.services, func() { w.Set(a.Issue(path)) })
	return w
}

// Address is the value of SPIFFE_ENDPOINT_SOCKET and of identity.Config.Socket.
func (w *Workload) Address() string { return "unix://" + w.socket }

// Set gives the service these certificates in place of the former ones; none means that it is not
// registered.
func (w *Workload) Set(svids ...*x509svid.SVID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.svids = svids
	close(w.changed)
	w.changed = make(chan struct{})
}

// Start serves again after Stop.
func (w *Workload) Start() {
	w.tb.Helper()
	l, err := net.Listen("unix", w.socket)
	if err != nil {
		w.tb.Fatal(err)
	}
	server := grpc.NewServer()
	workload.RegisterSpiffeWorkloadAPIServer(server, w)
	w.mu.Lock()
	w.server = server
	w.mu.Unlock()
	w.wg.Go(func() { server.Serve(l) }) //nolint:errcheck // it ends by Stop
}

// Stop ends the Workload API, as an agent that crashes.
func (w *Workload) Stop() {
	w.mu.Lock()
	server := w.server
	w.server = nil
	w.mu.Unlock()
	if server != nil {
		server.Stop()
	}
	w.wg.Wait()
}

// FetchX509SVID implements the Workload API: the certificates, and again with each change.
func (w *Workload) FetchX509SVID(_ *workload.X509SVIDRequest, stream grpc.ServerStreamingServer[workload.X509SVIDResponse]) error {
	// "Clients MUST include the static metadata workload.spiffe.io: true": SPIFFE Workload Endpoint, 5.
	if md, _ := metadata.FromIncomingContext(stream.Context()); len(md.Get("workload.spiffe.io")) != 1 {
		return status.Error(codes.InvalidArgument, "security header missing")
	}
	for {
		w.mu.Lock()
		svids, changed := w.svids, w.changed
		w.mu.Unlock()
		if len(svids) == 0 {
			return status.Error(codes.PermissionDenied, "no identity issued")
		}
		if err := stream.Send(w.response(svids)); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return nil
		}
	}
}

func (w *Workload) response(svids []*x509svid.SVID) *workload.X509SVIDResponse {
	var bundle []byte
	for _, c := range w.authority.Bundle().X509Authorities() {
		bundle = append(bundle, c.Raw...)
	}
	r := &workload.X509SVIDResponse{}
	for _, svid := range svids {
		certificates, key, err := svid.MarshalRaw()
		if err != nil {
			w.tb.Error(err)
			continue
		}
		r.Svids = append(r.Svids, &workload.X509SVID{SpiffeId: svid.ID.String(), X509Svid: certificates, X509SvidKey: key, Bundle: bundle})
	}
	return r
}
