package tracing

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/transport"
)

// scope names the library that makes the spans.
const scope = "github.com/sallyport/sallyport/fleet/tracing"

// defaultQueue is how many exchanges may wait: more than a second of what a processor can sign in.
const defaultQueue = 4096

// Config configures a Tracer. The zero value works.
type Config struct {
	// Queue is how many exchanges may wait for the provider's processors; those that find no room
	// have no trace, and are counted. Zero or less means 4,096.
	Queue int
}

// Tracer makes spans of exchanges, in a goroutine of its own: the provider's processors and exporters
// never hold up a server, however slow they are. Its methods are safe for concurrent use.
type Tracer struct {
	tracer  trace.Tracer            // constant
	queue   chan transport.Exchange // likewise
	done    chan struct{}           // closed by Close
	once    sync.Once               // of Close
	ended   chan struct{}           // closed when the goroutine has ended
	dropped atomic.Uint64
}

// New returns a Tracer that makes its spans with p: a provider of OpenTelemetry's SDK, whose sampler
// decides which are kept. Close it, and after it the provider.
func New(p trace.TracerProvider, c Config) *Tracer {
	if c.Queue <= 0 {
		c.Queue = defaultQueue
	}
	t := &Tracer{
		tracer: p.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		queue:  make(chan transport.Exchange, c.Queue), done: make(chan struct{}), ended: make(chan struct{}),
	}
	go t.run()
	return t
}

// Exchange takes an exchange and does not wait: it is for transport.Config.OnExchange.
func (t *Tracer) Exchange(e transport.Exchange) {
	select {
	case t.queue <- e:
	default:
		t.dropped.Add(1)
	}
}

// Dropped returns how many exchanges have found no room in the queue.
func (t *Tracer) Dropped() uint64 { return t.dropped.Load() }

// Close makes spans of the queued exchanges, and returns when that is done. Later ones have no
// trace.
func (t *Tracer) Close() {
	t.once.Do(func() { close(t.done) })
	<-t.ended
}

func (t *Tracer) run() {
	defer close(t.ended)
	for {
		select {
		case e := <-t.queue:
			t.spans(e)
		case <-t.done:
			for range len(t.queue) {
				t.spans(<-t.queue)
			}
			return
		}
	}
}

// spans makes the spans of an exchange: the whole, and its steps below. A verification is part of the
// step before.
func (t *Tracer) spans(e transport.Exchange) {
	if len(e.Steps) == 0 {
		return
	}
	root := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID(e.Trace)}) // no parent: a trace id alone
	main := e.Main()
	end := slices.MaxFunc(e.Steps, func(a, b transport.Step) int { return a.End.Compare(b.End) }).End
	ctx, whole := t.tracer.Start(trace.ContextWithSpanContext(context.Background(), root), "sallyport "+main.Kind.String(),
		trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(e.Steps[0].Start), trace.WithAttributes(attributes(main)...))
	setStatus(whole, main)
	parent := ctx
	for _, s := range e.Steps {
		above := ctx
		if s.Kind == transport.StepVerification {
			above = parent
		}
		below, span := t.tracer.Start(above, s.Kind.String(), trace.WithTimestamp(s.Start), trace.WithAttributes(attributes(s)...))
		setStatus(span, s)
		span.End(trace.WithTimestamp(s.End))
		parent = below
	}
	whole.End(trace.WithTimestamp(end))
}

// attributes are what is known of a step, by OpenTelemetry's semantic conventions where they have a
// name for it.
func attributes(s transport.Step) []attribute.KeyValue {
	list := []attribute.KeyValue{semconv.NetworkTransportUDP, semconv.NetworkProtocolName("sallyport"), attribute.String("sallyport.step", s.Kind.String())}
	if s.Outcome != transport.OutcomeOK {
		list = append(list, semconv.ErrorTypeKey.String(cmp.Or(s.Outcome, "_OTHER")))
	}
	if s.Cause != "" {
		list = append(list, attribute.String("sallyport.cause", s.Cause))
	}
	return list
}

// ours are the outcomes that are the server's doing and not the client's.
var ours = []string{audit.DropUnavailable.String(), audit.DropBusy.String(), audit.DropFull.String()}

func setStatus(span trace.Span, s transport.Step) {
	if slices.Contains(ours, s.Outcome) {
		span.SetStatus(codes.Error, cmp.Or(s.Cause, s.Outcome))
	}
}
