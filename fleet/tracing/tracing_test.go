package tracing_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fleet/tracing"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/token"
	"github.com/sallyport/sallyport/transport"
)

// span is what the exporter writes of one, as far as it is looked at.
type span struct {
	Name        string
	SpanContext struct{ TraceID, SpanID string }
	Parent      struct{ TraceID, SpanID string }
	StartTime   time.Time
	EndTime     time.Time
	Attributes  []struct {
		Key   string
		Value struct{ Value any }
	}
	Status struct{ Code string }
}

func read(t *testing.T, r io.Reader) (list []span) {
	t.Helper()
	for d := json.NewDecoder(r); ; {
		var s span
		switch err := d.Decode(&s); err {
		case nil:
			list = append(list, s)
		case io.EOF:
			return list
		default:
			t.Fatal(err)
		}
	}
}

// sink remembers the audit's trace ids.
type sink struct {
	mu    sync.Mutex
	trace map[audit.Decision]string
}

func (s *sink) Record(e audit.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace[e.Decision] = e.Trace
}

// A real server, a real player, the SDK and an exporter: a sign-in is one trace of four spans, whose
// id the audit has, too, and nothing in it names the player.
func TestSpans(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	exporter, err := stdouttrace.New(stdouttrace.WithWriter(&out))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter))
	tracer := tracing.New(provider, tracing.Config{})
	audited := &sink{trace: make(map[audit.Decision]string)}
	authority, issuer := testkit.NewAuthority(t), testkit.NewIssuer(t)
	server, err := transport.Listen("127.0.0.1:0", transport.Config{
		Certificate: *authority.Server(t), Verifier: issuer.Verifier(t), Audit: audited, OnExchange: tracer.Exchange, Shards: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(transport.Handler{}) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	config := transport.ClientConfig{RootCAs: authority.Pool(), ServerName: testkit.ServerName, Token: func(context.Context) ([]byte, error) {
		return []byte(issuer.Token(t, token.Grant{Subject: "alice", Scope: "match-7"})), nil
	}}
	client, err := transport.Dial(ctx, server.Addr().String(), config)
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
	config.Token = func(context.Context) ([]byte, error) { return []byte("not a token"), nil }
	if _, err := transport.Dial(ctx, server.Addr().String(), config); err == nil {
		t.Fatal("not refused")
	}
	server.Close()
	serving.Wait()
	tracer.Close()
	tracer.Close() // as often as anybody likes
	if err := provider.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, "alice") || strings.Contains(text, "127.0.0.1") || strings.Contains(text, "not a token") {
		t.Errorf("a span names a person, an address or a token: %s", text)
	}
	all := read(t, &out)
	for decision, names := range map[audit.Decision][]string{
		audit.Accept: {"handshake", "sallyport sign-in", "sign-in", "verification"},
		audit.Reject: {"handshake", "sallyport sign-in", "sign-in", "verification"},
	} {
		of := map[string]span{}
		for _, s := range all {
			if s.SpanContext.TraceID == audited.trace[decision] {
				of[s.Name] = s
			}
		}
		if len(of) != len(names) {
			t.Fatalf("%v: trace %q has %v; all: %+v", decision, audited.trace[decision], of, all)
		}
		root := of["sallyport sign-in"]
		for _, name := range names {
			s, ok := of[name]
			above := root.SpanContext.SpanID
			switch name {
			case "sallyport sign-in":
				above = strings.Repeat("0", 16)
			case "verification":
				above = of["sign-in"].SpanContext.SpanID
			}
			if !ok || s.Parent.SpanID != above || s.StartTime.Before(root.StartTime) || s.EndTime.After(root.EndTime) || s.EndTime.Before(s.StartTime) {
				t.Errorf("%v: %s: %+v", decision, name, s)
			}
		}
		attributes := map[string]any{}
		for _, a := range root.Attributes {
			attributes[a.Key] = a.Value.Value
		}
		want := map[string]any{"network.transport": "udp", "network.protocol.name": "sallyport", "sallyport.step": "sign-in"}
		if decision == audit.Reject {
			want["error.type"], want["sallyport.cause"] = "token", "token form"
		}
		for key, value := range want {
			if attributes[key] != value {
				t.Errorf("%v: %s is %v, want %v", decision, key, attributes[key], value)
			}
		}
		if len(attributes) != len(want) || root.Status.Code != "Unset" {
			t.Errorf("%v: %v, status %s", decision, attributes, root.Status.Code)
		}
	}
}

// hanging is an exporter that takes nothing until it is let go.
type hanging struct {
	entered, free chan struct{}
	once          sync.Once
	spans         []string
}

func (h *hanging) ExportSpans(_ context.Context, spans []sdk.ReadOnlySpan) error {
	h.once.Do(func() { close(h.entered) })
	<-h.free
	for _, s := range spans {
		h.spans = append(h.spans, s.Name()+" "+s.Status().Code.String())
	}
	return nil
}
func (*hanging) Shutdown(context.Context) error { return nil }

// "The provider's processors and exporters never hold up a server, however slow they are": with an
// exporter that hangs, in the worst processor for that, exchanges are dropped and counted. The
// status is Error where the server could not do what was asked.
func TestExporterHangs(t *testing.T) {
	t.Parallel()
	h := &hanging{entered: make(chan struct{}), free: make(chan struct{})}
	tracer := tracing.New(sdk.NewTracerProvider(sdk.WithSyncer(h)), tracing.Config{Queue: 2})
	now := time.Now()
	exchange := transport.Exchange{Trace: transport.TraceID{1}, Steps: []transport.Step{{Kind: transport.StepRenewal, Start: now, End: now.Add(time.Second), Outcome: "unavailable"}}}
	tracer.Exchange(transport.Exchange{}) // nothing
	tracer.Exchange(exchange)
	<-h.entered
	for range 5 {
		tracer.Exchange(exchange)
	}
	if n := tracer.Dropped(); n != 3 {
		t.Errorf("%d dropped, want 3", n)
	}
	close(h.free)
	tracer.Close()
	want := slices.Repeat([]string{"renewal Error", "sallyport renewal Error"}, 3)
	if !slices.Equal(h.spans, want) {
		t.Errorf("%v, want %v", h.spans, want)
	}
}
